"""State entries of changed UIDs, beside those of studies: a home's alias table, and what other homes told.

Rules of this file: keys and MessagePack, no meaning. FORMAT of `wire.state` covers it. `!` is in no UID, so
no study has such keys:
    !c|<prior study, series, SOP>|<study, series, SOP>   a change, as said last
    !d|<study>|<prior study>                             something of that study came into this one
    !o|<study>|…                                         an entry of that study, which is at home elsewhere
"""

from __future__ import annotations

import msgspec

from processors.core.corrections import UidChanged

CHANGES = "!c|"
UPSTREAM = "!d|"
TOLD = "!o|"

_encode = msgspec.msgpack.Encoder().encode
_change = msgspec.msgpack.Decoder(UidChanged).decode
MARK = _encode(None)
"""Body of an entry whose key says it all."""


def change_key(change: UidChanged) -> str:
    return f"{CHANGES}{'|'.join((*change.prior, *change.present))}"


def changes_of(prior_study_instance_uid: str) -> str:
    """Prefix of the changes of what lay in this study."""
    return f"{CHANGES}{prior_study_instance_uid}|"


def upstream_key(change: UidChanged) -> str:
    return upstream_of(change.present.study_instance_uid) + change.prior.study_instance_uid


def upstream_of(study_instance_uid: str) -> str:
    """Prefix of the studies from which something came into this one."""
    return f"{UPSTREAM}{study_instance_uid}|"


def told_of(study_instance_uid: str) -> str:
    """Prefix of what was told of this study; the rest is the entry's key in its own home."""
    return f"{TOLD}{study_instance_uid}|"


def origin_of(key: str) -> str:
    """The study of which an entry was told."""
    return key.split("|", 2)[1]


def last_of(key: str) -> str:
    """The last part of a key."""
    return key.rpartition("|")[2]


def encode_change(change: UidChanged) -> bytes:
    return _encode(change)


def decode_change(body: bytes) -> UidChanged:
    return _change(body)


def joined_changes(one: bytes, other: bytes) -> bytes:
    """The body of a change of which two homes hold one each: what was said last."""
    return max(one, other, key=lambda body: _change(body).stamp)
