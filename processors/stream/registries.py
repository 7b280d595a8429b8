"""Whether this site has a schema registry: the one place that asks for the extra `registry`.

Rules of this file: no more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.avro.registered import Writers
from processors.settings import Settings

if TYPE_CHECKING:
    from processors.stream.registry import ConfluentRegistry


def registry_of(settings: Settings) -> ConfluentRegistry | None:
    """None where there is none. Raises SettingsError without the extra, or for impossible settings."""
    if not settings.schema_registry.url:
        return None
    from processors.stream.registry import ConfluentRegistry  # noqa: PLC0415 (needs the extra)

    return ConfluentRegistry(settings.schema_registry)


def writers_of(settings: Settings) -> Writers | None:
    """For reading facts, however this site frames them."""
    registry = registry_of(settings)
    return Writers(registry) if registry else None
