"""A published resource as a few bytes that tell which of its elements differ from another's.

Rules of this file: pure; paths and hashes only, so that nothing of what a resource says can be printed.
Version and time of publication are no part of it, as of the content hash.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

ORDER = "(order)"
"""In place of a path: all elements are the same, but written in another order."""

_PART = struct.Struct(">H8s")
"""Number of a path, hash of all that is said under it. All releases together have some hundreds of paths."""
_OF_PUBLICATION = frozenset({"versionId", "lastUpdated"})


class Fingerprints:
    """Those that one of these made can be compared: it numbers the paths it meets."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._paths: list[str] = []

    def of(self, resource: bytes) -> bytes:
        """10 bytes for each path. Raises ValueError for what is no JSON object.

        Equal where the contents are equal, text for text: numbers are taken as they are written.
        """
        content = json.loads(resource, parse_float=str)
        if not isinstance(content, dict):
            raise ValueError("a resource is a JSON object")  # noqa: TRY004 (as for any other text)
        if isinstance(content.get("meta"), dict):
            meta = {name: said for name, said in content["meta"].items() if name not in _OF_PUBLICATION}
            content["meta"] = meta or None
        hashes: dict[str, Any] = {}
        for path, place, said in _leaves(content, "", ""):
            found = hashes.get(path)
            if found is None:
                found = hashes[path] = blake2b(digest_size=8)
            found.update(f"{place}={said!r};".encode())
        return b"".join(_PART.pack(self._number(path), each.digest()) for path, each in hashes.items())

    def differing(self, one: bytes, other: bytes) -> list[str]:
        """Paths under which not the same is said, sorted: `subject.identifier.value`. An extension goes by
        the end of its url, and no list's positions are told.
        """
        if one == other:
            return []
        apart = set(_PART.iter_unpack(one)) ^ set(_PART.iter_unpack(other))
        return sorted({self._paths[number] for number, _ in apart}) or [ORDER]

    def _number(self, path: str) -> int:
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self._paths)
            self._paths.append(path)
        return number


def top_level(paths: list[str]) -> list[str]:
    """The elements, or extensions, that the paths lie in."""
    return list(dict.fromkeys(path.partition(".")[0] for path in paths))


def _leaves(value: Any, path: str, place: str) -> Iterator[tuple[str, str, Any]]:
    """(path, positions in the lists on the way, value) of each value that holds no other."""
    if isinstance(value, dict) and value:
        for name, child in value.items():
            if child is not None:
                yield from _leaves(child, f"{path}.{name}" if path else name, place)
    elif isinstance(value, list) and value:
        for position, child in enumerate(value):
            url = child.get("url") if isinstance(child, dict) else None
            named = f"{path}({_name_of(str(url))})" if url else path
            yield from _leaves(child, named, f"{place}/{position}")
    else:
        yield path, place, value


def _name_of(url: str) -> str:
    return url.rpartition("/")[2].rpartition(".")[2]
