"""Keys and ids: what is fixed for good."""

from __future__ import annotations

import uuid

import pytest

from processors.core import identity

OTHER_SITE = uuid.UUID("12345678-1234-5678-1234-567812345678")


def test_the_namespace_and_ids_never_change() -> None:
    assert str(identity.NAMESPACE) == str(
        uuid.uuid5(uuid.NAMESPACE_URL, "https://imaging-reference.example/ns/v1")
    )
    key = identity.series_key("2.999.1", "2.999.1.2")
    assert identity.reference_id(key) == "daff3679-6ab1-5d23-a29d-7f3dfdc7b0a1"
    assert identity.reference_id(key, OTHER_SITE) != identity.reference_id(key)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (identity.series_key("1.1", "2.1"), "series|1.1|2.1"),
        (identity.document_key("kos", "1.1", "2.1", "5.1"), "kos|1.1|2.1|5.1"),
        (identity.document_key("sr-item", "1.1", "2.1", "5.1", "1.5"), "sr-item|1.1|2.1|5.1|1.5"),
        (identity.selection_key("1.1", "2.1", "A|B", "c"), "selection|1.1|2.1|A%7CB|c"),
        (identity.selection_key("1.1", "2.1", "A", "B|c"), "selection|1.1|2.1|A|B%7Cc"),
        (identity.selection_key("1.1", "2.1", "A%7CB", "c"), "selection|1.1|2.1|A%257CB|c"),
    ],
)
def test_keys(key: str, expected: str) -> None:
    assert key == expected


def test_copies_share_the_smallest_uid_as_text() -> None:
    assert identity.canonical_uid("5.2", ("5.10", "5.3")) == "5.10"
    assert identity.canonical_uid("5.2", ()) == "5.2"
