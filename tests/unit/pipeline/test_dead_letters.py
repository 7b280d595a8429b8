"""Headers of dead letters, for records and for what has none."""

from __future__ import annotations

from processors.errors import DeadLetterCode, Refused
from processors.pipeline.dead_letters import described, of_record, original_headers
from processors.pipeline.records import OutputTopic, Record
from processors.wire.json_text import load
from tests.unit.pipeline.site import START_MS, headers_of


def test_the_record_itself_with_headers_that_say_why() -> None:
    record = Record("dicom-reports", 4, 17, 5, b"\x00key", b"\xffvalue", [("source", b"PACS_A")])
    refused = Refused(DeadLetterCode.BAD_VR, "VR of a UID is UI", "(0020,000D)")
    letter = of_record(record, refused, "decode", START_MS)
    assert letter[:3] == (OutputTopic.DEAD_LETTERS, b"\x00key", b"\xffvalue")
    assert letter.headers[0] == ("source", b"PACS_A")
    assert headers_of(letter) == {
        "source": "PACS_A",
        "__streams.errors.exception": "Refused",
        "__streams.errors.stacktrace": "decode: bad_vr",
        "__streams.errors.message": "VR of a UID is UI",
        "__streams.errors.topic": "dicom-reports",
        "__streams.errors.partition": "4",
        "__streams.errors.offset": "17",
        "__imaging.errors.code": "bad_vr",
        "__imaging.errors.tag": "(0020,000D)",
        "__imaging.errors.stage": "decode",
        "__imaging.errors.attempts": "1",
        "__imaging.errors.first_failed_at": "2026-01-02T10:00:00.000Z",
        "__imaging.errors.version": "1",
    }
    assert record.headers == [("source", b"PACS_A")], "the record is not ours to change"


def test_a_record_without_key_value_and_headers() -> None:
    letter = of_record(Record("t", 0, 0, -1, None, None), Refused(DeadLetterCode.BAD_VR, ""), "decode", 0)
    assert (letter.key, letter.value, len(letter.headers)) == (None, None, 12)


def test_what_has_no_record_is_described() -> None:
    said = {"event": "x", "study_instance_uid": "1.1"}
    letter = described(DeadLetterCode.TOO_LARGE, "m", "", "publish", said, None, 0)
    assert (letter.key, load(letter.value or b"")) == (b"1.1", said)
    assert headers_of(letter)["__streams.errors.offset"] == "-1"
    placed = described(DeadLetterCode.SERIES_UNKNOWN, "m", "", "wait", said, (("t", 3), 8), 0)
    names = [f"__streams.errors.{part}" for part in ("topic", "partition", "offset")]
    assert [headers_of(placed)[name] for name in names] == ["t", "3", "8"]


def test_the_original_headers_are_those_before_ours() -> None:
    theirs = [("__streams.errors.exception", b"of another program"), ("source", b"A"), ("source", b"")]
    refused = Refused(DeadLetterCode.BAD_VR, "")
    for headers in (theirs, [], theirs[1:]):
        letter = of_record(Record("t", 0, 0, -1, None, b"", headers), refused, "decode", 0)
        assert original_headers(letter.headers) == headers
    assert original_headers(theirs[1:]) == theirs[1:]
