"""What the records of the FHIR topic ask of a server: the newest of each resource, or that it be gone.

Rules of this file: values only. A server numbers and dates its own versions, so `meta` is compared by what it
says beside that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    kind: str = ""
    study_instance_uid: str = ""
    """Both by the record's headers, which an erased reference has, too."""

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
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers or ()}
    told = headers.get("kind", ""), headers.get("study_uid", "")
    if record.value is None:
        is_r4 = headers.get("fhir_version", "").startswith("4.")
        return Wanted("Basic" if is_r4 else "ImagingSelection", id_, None, 0, *told)
    if not isinstance(content, dict) or content.get("id") != id_ or not content.get("resourceType"):
        return None
    meta = {name: value for name, value in content.pop("meta", {}).items() if name not in _SERVER_S_OWN}
    own = content | ({"meta": meta} if meta else {})
    return Wanted(own["resourceType"], id_, own, len(record.value), *told)


def parts_of(wanted: Sequence[Wanted], most: int, most_bytes: int) -> Iterator[list[Wanted]]:
    """At most so many at once, of at most so many bytes; a larger one goes alone."""
    part: list[Wanted] = []
    size = 0
    for each in wanted:
        if part and (len(part) == most or size + each.size > most_bytes):
            yield part
            part, size = [], 0
        part.append(each)
        size += each.size
    if part:
        yield part


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
