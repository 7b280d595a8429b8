"""Deterministic ids: a reference's id is the uuid5 of its key (MAPPING 1.6 and 7).

Rules of this file: keys and ids, pure. A key begins with kind, study and series, so that an id lives in one
partition, and holds nothing that is corrected later (no patient id, no accession number).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from hashlib import sha256

BASE = "https://imaging-reference.example"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, f"{BASE}/ns/v1")


def reference_id(key: str, namespace: uuid.UUID = NAMESPACE) -> str:
    return str(uuid.uuid5(namespace, key))


def series_key(study_instance_uid: str, series_instance_uid: str) -> str:
    return f"series|{study_instance_uid}|{series_instance_uid}"


def volume_key(study: str, series: str, parts: Iterable[str]) -> str:
    """Key of one volume of a series: what tells it apart, in the order of `core.volumes.ASPECTS`."""
    return "|".join(["volume", study, series, *parts])


def document_key(kind: str, study: str, series: str, document_uid: str, suffix: str = "") -> str:
    """Key of a reference made by a document; study and series are those it refers to."""
    key = f"{kind}|{study}|{series}|{document_uid}"
    return f"{key}|{suffix}" if suffix else key


def selection_key(study: str, series: str, source: str, selection_id: str) -> str:
    """Key of a `selection.made`: `%` and `|` in the sender's two parts are percent-encoded (CONTRACT 3)."""
    return f"selection|{study}|{series}|{_escaped(source)}|{_escaped(selection_id)}"


def canonical_uid(own: str, identical: Iterable[str]) -> str:
    """Identical documents share references: the smallest UID of self and listed copies (PS3.3 C.17.2.2)."""
    return min([own, *identical])


def name_hash(*parts: str) -> str:
    """Half of the SHA-256 of a path or an id, hex: for keys that must not show it, or could not hold it."""
    return sha256("|".join(parts).encode()).hexdigest()[:32]


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace("|", "%7C")
