from __future__ import annotations

import pytest

from processors.errors import DeadLetterCode, Refused, WarningCode
from processors.wire import uids

LONGEST = "1." + "2" * 62


@pytest.mark.parametrize(
    ("sent", "bare", "warnings"),
    [
        ("1.2.840.0.1", "1.2.840.0.1", ()),
        (LONGEST, LONGEST, ()),
        ("0", "0", ()),
        (" 1.2\0", "1.2", (WarningCode.UID_PADDING_STRIPPED,)),
        (LONGEST + "\0\0", LONGEST, (WarningCode.UID_PADDING_STRIPPED,)),
        ("1.007.2", "1.007.2", (WarningCode.UID_LEADING_ZERO,)),
        ("1.2.00 ", "1.2.00", (WarningCode.UID_PADDING_STRIPPED, WarningCode.UID_LEADING_ZERO)),
    ],
)
def test_bare_but_never_repaired(sent: str, bare: str, warnings: tuple[str, ...]) -> None:
    assert uids.required(sent, uids.STUDY) == (bare, warnings)
    assert uids.optional(sent) == (bare, warnings)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (None, DeadLetterCode.MISSING_UID),
        ("", DeadLetterCode.MISSING_UID),
        (" \0", DeadLetterCode.MISSING_UID),
        (LONGEST + "2", DeadLetterCode.UID_TOO_LONG),
        ("1.2\\1.3", DeadLetterCode.MULTIVALUED_UID),
        ("1.2.", DeadLetterCode.INVALID_UID),
        ("1..2", DeadLetterCode.INVALID_UID),
        (".1", DeadLetterCode.INVALID_UID),
        ("1.2a", DeadLetterCode.INVALID_UID),
        ("1.2\n", DeadLetterCode.INVALID_UID),
        ("1.٢", DeadLetterCode.INVALID_UID),  # a digit, but not of DICOM's
    ],
)
def test_refused_with_the_attribute(sent: str | None, code: DeadLetterCode) -> None:
    with pytest.raises(Refused) as refused:
        uids.required(sent, uids.SERIES)
    assert (refused.value.code, refused.value.tag) == (code, "(0020,000E)")
    assert not sent or len(sent) < 3 or sent not in refused.value.message


def test_an_optional_uid_is_dropped_with_a_warning() -> None:
    assert uids.optional("1.x") == ("", (WarningCode.INVALID_UID,))
    assert uids.optional(None) == uids.optional("") == ("", ())
