"""What the records of the FHIR topic ask of a server: the newest of each resource, or that it be gone.

Rules of this file: values only. A server numbers and dates its own versions, so `meta` is compared by what it
says beside that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from processors.errors import Refused
from processors.pipeline.records import Record
from processors.wire.json_text import load

Json = dict[str, Any]


class Wanted(NamedTuple):
    type: str
    id: str
    content: Json | None
    """None: erased."""
    size: int
    """Bytes of its JSON."""

    @property
    def path(self) -> str:
        return f"{self.type}/{self.id}"


def newest(records: Iterable[Record]) -> list[Wanted]:
    """In the order of the last word on each; what is no reference is passed over."""
    found: dict[str, Wanted] = {}
    for record in records:
        wanted = _wanted(record)
        if wanted is not None:
            found.pop(wanted.id, None)
            found[wanted.id] = wanted
    return list(found.values())


def _wanted(record: Record) -> Wanted | None:
    """None: anyone who may write can put a record there."""
    try:
        id_ = (record.key or b"").decode()
        content = {} if record.value is None else load(record.value)
    except (Refused, UnicodeDecodeError):
        return None
    if not id_:
        return None
    if record.value is None:
        release = dict(record.headers or ()).get("fhir_version", b"")
        return Wanted("Basic" if release.startswith(b"4.") else "ImagingSelection", id_, None, 0)
    if not isinstance(content, dict) or content.get("id") != id_ or not content.get("resourceType"):
        return None
    meta = {name: value for name, value in content.pop("meta", {}).items() if name not in _SERVER_S_OWN}
    own = content | ({"meta": meta} if meta else {})
    return Wanted(own["resourceType"], id_, own, len(record.value))


_SERVER_S_OWN = ("versionId", "lastUpdated")


def is_same(wanted: Json, current: Json) -> bool:
    """Whether the server has it already; tags that it adds, and a narrative, are its own affair."""
    if _but_for_meta(wanted) != _but_for_meta(current):
        return False
    return _tags(wanted) <= _tags(current)


def _but_for_meta(content: Json) -> Json:
    return {name: value for name, value in content.items() if name not in ("meta", "text")}


def _tags(content: Json) -> set[tuple[str, str]]:
    return {(tag.get("system", ""), tag.get("code", "")) for tag in content.get("meta", {}).get("tag", ())}
