"""State entries of merged patients, beside those of studies: a home's alias table and its index by patient.

Rules of this file: keys and MessagePack, no meaning. FORMAT of `wire.state` covers it. `!` is in no UID, so
no study has such keys. A patient is written as a hash: ids may be of any length and hold any character.
    !l|<prior>|<survivor>|<which>   a link
    !u|<survivor>|<prior>           somebody was merged into this patient
    !p|<patient>|<study>            this study is that patient's, as far as its own headers say
    !w|<patient>                    whose studies are to be looked at again, with a clock
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from processors.core.aliases import Link
from processors.core.identity import name_hash

_encode = msgspec.msgpack.Encoder().encode
_link = msgspec.msgpack.Decoder(Link).decode
_cursor = msgspec.msgpack.Decoder(str).decode

LINKS = "!l|"
PRIORS = "!u|"
STUDIES = "!p|"
WAITING = "!w|"
MARK = _encode(None)
"""Body of an entry whose key says it all."""


def link_key(link: Link) -> str:
    which = sha256(repr((link.prior, link.survivor, link.source)).encode()).hexdigest()[:16]
    return f"{links_of(link.prior.value)}{name_hash(link.survivor.value)}|{which}"


def links_of(prior_id: str) -> str:
    """Prefix of the links whose prior patient has this id."""
    return f"{LINKS}{name_hash(prior_id)}|"


def upstream_key(link: Link) -> str:
    return upstream_of(name_hash(link.survivor.value)) + name_hash(link.prior.value)


def upstream_of(patient: str) -> str:
    """Prefix of those who were merged into this patient; patients here are hashes."""
    return f"{PRIORS}{patient}|"


def studies_of(patient: str) -> str:
    """Prefix of this patient's studies."""
    return f"{STUDIES}{patient}|"


def waiting_key(patient: str) -> str:
    return WAITING + patient


def last_of(key: str) -> str:
    """The last part of a key."""
    return key.rpartition("|")[2]


def encode_link(link: Link) -> bytes:
    return _encode(link)


def decode_link(body: bytes) -> Link:
    return _link(body)


def joined_links(one: bytes, other: bytes) -> bytes:
    """The body of a link of which two homes hold one each."""
    return _encode(_link(one).with_all_of(_link(other)))


def encode_cursor(study_instance_uid: str) -> bytes:
    """The last study looked at; empty: none yet."""
    return _encode(study_instance_uid)


def decode_cursor(body: bytes) -> str:
    return _cursor(body)
