"""State entries of erasures: hashes and revisions, and the entries that go.

Rules of this file: keys and MessagePack, no meaning. FORMAT of `wire.state` covers it. No key names a UID;
`!` is in none, so no study has such keys:
    !e|<hash of the study>|p<hash>    an instance's path and when it was erased
    !e|<hash of the study>|r<id>      a reference and its last revision
    !e|<hash of the study>|s<hash>    a series without instances
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

import msgspec

from processors.core.identity import name_hash
from processors.core.study import Expectation, StudyState

ERASURES = "!e|"

_encode = msgspec.msgpack.Encoder().encode
_number = msgspec.msgpack.Decoder(int).decode
_expectation = msgspec.msgpack.Decoder(Expectation).decode


def erasures_of(study_instance_uid: str) -> str:
    """Prefix of what was erased of a study."""
    return f"{ERASURES}{name_hash(study_instance_uid)}|"


def erasure_rows(study: StudyState) -> Iterator[tuple[str, bytes | None]]:
    """Key and body of what changed since the last call; a body of None: the entry goes.

    To be written before any other entry of the study: what is gone may have come anew.
    """
    for kind, *parts in study.dropped_rows:
        quoted = [quote(part, safe="") for part in parts] if kind == "m" else parts
        yield "|".join((study.study_instance_uid, kind, *quoted)), None
    prefix = erasures_of(study.study_instance_uid)
    kept: dict[str, Mapping[str, object]] = {
        "p": study.erased,
        "r": study.last_revisions,
        "s": study.dormant,
    }
    for key in study.touched_erasures:
        yield prefix + key, _encode(kept[key[0]][key[1:]])
    study.dropped_rows.clear()
    study.touched_erasures.clear()


def study_hash_of(key: str) -> str:
    """Of which study an entry remembers something."""
    return key.split("|", 2)[1]


def joined_erasures(key: str, one: bytes, other: bytes) -> bytes:
    """The body of an entry of which two homes hold one each: erasures and revisions only grow."""
    if key.split("|", 2)[2].startswith("s"):
        return _encode(_expectation(one).with_all_of(_expectation(other)))
    return max(one, other, key=_number)


def read_erasure(study: StudyState, key: str, body: bytes) -> None:
    """Into the study what one entry says; `key` without its prefix."""
    if key[0] == "p":
        study.erased[key[1:]] = _number(body)
    elif key[0] == "r":
        study.last_revisions[key[1:]] = _number(body)
    else:
        study.dormant[key[1:]] = _expectation(body)
