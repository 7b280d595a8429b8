"""What a site decides: TOML file, environment, defaults.

Rules of this room: `sections` says what may be set, `reading` brings it in, `printing` shows it. It knows
nothing of Kafka, DICOM or FHIR beyond names, and it is the second and last room that imports msgspec.
"""

from processors.settings.printing import as_toml, printable
from processors.settings.reading import load
from processors.settings.sections import Settings

__all__ = ["Settings", "as_toml", "load", "printable"]
