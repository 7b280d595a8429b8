from __future__ import annotations

import pytest

from processors.errors import DeadLetterCode, Refused
from processors.wire.json_text import dump, elements, load


def test_dump_is_compact_utf8_in_the_given_order() -> None:
    assert dump({"b": "ä", "a": [1, 0.5]}) == '{"b":"ä","a":[1,0.5]}'.encode()


def test_of_equal_names_the_last_holds() -> None:
    assert load(b'{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"nul", b'"\xff\xfe"', b'{"a": NaN}', b'"\\ud800 "', b"[" * 20_000 + b"]" * 20_000, b"1e999"],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(Refused) as refused:
        load(text)
    assert refused.value.code is DeadLetterCode.UNDECODABLE_RECORD


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b'[{"a": 1, "a": 2}, 3]', [b'{"a": 1, "a": 2}', b"3"]),
        (b'{"a": 1}', [b'{"a": 1}']),
        (b"[]", []),
        (b'{"a": 1} {"a": 2}', None),
        (b"[" * 20_000, None),
        (b"", None),
    ],
)
def test_elements_are_as_written(text: bytes, found: list[bytes] | None) -> None:
    assert elements(text) == found
