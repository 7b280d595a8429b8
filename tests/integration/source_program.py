"""A source as a process of its own, on a site's topics.

Rules of this file: starting it and reading what it sent; nothing of one source in particular.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from processors.settings import printable
from tests.integration.site import Program, Site, until

PATIENT = "Doe^Jane"
"""In every image that the tests send, and never in a log."""


def source(site: Site, kind: str, *arguments: str, **sections: Any) -> Program:
    """`sections`: sections of the settings that the test sets."""
    config = site.folder / f"{kind}.toml"
    config.write_text(printable(replace(site.settings, **sections)), "utf-8")
    command = ["-m", "processors", "source", kind, "--config", str(config), *arguments]
    return Program(site.folder / f"{kind}.log", command)


def sent(site: Site, role: str = "instances") -> list[dict[str, Any]]:
    """Events of a topic, partition by partition."""
    return [json.loads(seen.value or b"") for seen in site.read(role)]


def started(running: Program) -> None:
    until(lambda: running.said('"source_started"'), "started", running)


def says_nothing_of_a_patient(running: Program) -> bool:
    said = "\n".join(running.lines())
    return not any(part in said for part in PATIENT.split("^"))
