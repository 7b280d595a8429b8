"""State entries of rejections, some each: a study of which all is rejected has tens of thousands.

Rules of this file: keys and MessagePack, no meaning. FORMAT of `wire.state` covers it.
    <study>|r|<chunk>   what was said of CHUNK instances
    <study>|r           of all: before format 7; read, and replaced when the study is written next
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from processors.core.events import Stamp
from processors.core.rejection_chunks import WHOLE
from processors.core.study import StudyState
from processors.wire.packing import pack, unpack

_Rows = list[tuple[str, str, dict[str, Stamp]]]

_encode = msgspec.msgpack.Encoder().encode
_rows = msgspec.msgpack.Decoder(_Rows).decode


def rejection_rows(study: StudyState) -> Iterator[tuple[str, bytes | None]]:
    """Key and body of what changed since the last call; a body of None: the entry goes."""
    chunks, known = study.rejection_chunks, study.rejections
    for chunk in sorted(chunks.touched):
        rows: _Rows = [(*path, known[path]) for path in chunks.paths.get(chunk, ()) if path in known]
        key = f"{study.study_instance_uid}|r" + ("" if chunk == WHOLE else f"|{chunk:06d}")
        yield key, pack(_encode(rows)) if rows else None
    chunks.touched.clear()


def read_rejections(study: StudyState, rest: Sequence[str], body: bytes) -> None:
    """Into the study what one entry says; `rest`: its chunk, or none."""
    chunks = study.rejection_chunks
    for series, sop, titles in _rows(unpack(body)):
        path = series, sop
        study.rejections[path] = titles
        if rest:
            chunks.put(path, int(rest[0]))
        else:
            chunks.touch(path)
    if not rest:
        chunks.touched.add(WHOLE)
