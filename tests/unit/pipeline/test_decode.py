from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from processors.avro.events import encode_event
from processors.core.corrections import AnyEvent
from processors.core.events import DocumentArrived, InstanceArrived, SeriesCompleted, Stamp
from processors.core.vocabulary import KEY_OBJECT_SELECTION
from processors.dicom import ReadingPolicy
from processors.errors import DeadLetterCode, IgnoredReason, Refused, WarningCode
from processors.pipeline.claim_checks import ClaimChecks
from processors.pipeline.decode import Decoder, Ignored, split_event_file
from processors.pipeline.records import Headers, Record
from processors.wire.json_text import dump, load

CT = "1.2.840.10008.5.1.4.1.1.2"
NOW_MS = 1_800_000_000_000
ENVELOPE: dict[str, Any] = {
    "event": "instance.arrived",
    "event_id": "e1",
    "source": "PACS_A",
    "occurred_at": "2024-03-11T09:15:00Z",
}
TYPED = {
    "study_instance_uid": "2.999.1",
    "series_instance_uid": "2.999.1.2",
    "sop_instance_uid": "2.999.1.2.3",
    "sop_class_uid": CT,
    "instance_number": 4,
}
DECODER = Decoder(ReadingPolicy())


def record(
    value: bytes | None, headers: Headers | None = None, timestamp_ms: int = 1_710_000_000_000
) -> Record:
    return Record("dicom-instances", 0, 0, timestamp_ms, None, value, headers)


def decode(value: bytes | None, headers: Headers | None = None) -> AnyEvent | Ignored:
    return DECODER.decode(record(value, headers), NOW_MS)


def arrived(value: bytes, headers: Headers | None = None) -> InstanceArrived:
    event = decode(value, headers)
    assert isinstance(event, InstanceArrived)
    return event


def image(**attributes: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = CT
    dataset.SOPInstanceUID = "2.999.1.2.3"
    dataset.StudyInstanceUID = "2.999.1"
    dataset.SeriesInstanceUID = "2.999.1.2"
    dataset.Modality = "CT"
    dataset.InstanceNumber = 4
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def model_of(dataset: Dataset) -> dict[str, Any]:
    model: dict[str, Any] = load(dataset.to_json().encode())
    return model


def part10(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = b"\0" * 128  # as the registry's framing begins
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def bare(dataset: Dataset) -> bytes:
    out = BytesIO()
    dataset.save_as(out, implicit_vr=False, little_endian=True)
    return out.getvalue()


def key_objects() -> Dataset:
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = "113000", "DCM", "Of Interest"
    dataset = image(SOPClassUID=KEY_OBJECT_SELECTION, Modality="KO", ConceptNameCodeSequence=[title])
    dataset.ValueType = "CONTAINER"
    return dataset


def refusal(value: bytes, headers: Headers | None = None) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        decode(value, headers)
    return refused.value.code, refused.value.tag


def test_a_null_value_is_a_tombstone() -> None:
    assert decode(None) == Ignored(IgnoredReason.TOMBSTONE)


def test_typed_fields() -> None:
    value = dump({**ENVELOPE, **TYPED})
    event = arrived(value)
    assert event.stamp == Stamp(1_710_148_500_000_000, False, "PACS_A", "e1", sha256(value).digest()[:8])
    assert (event.sop_instance_uid, event.instance.number, event.dated) == ("2.999.1.2.3", 4, True)
    assert isinstance(decode(dump({**ENVELOPE, **TYPED, "event": "series.completed"})), SeriesCompleted)


def test_avro_says_the_same_as_json() -> None:
    members = {**ENVELOPE, **TYPED}
    from_avro = arrived(encode_event(members))
    from_json = arrived(dump(members))
    assert from_avro._replace(stamp=from_json.stamp) == from_json
    assert from_avro.stamp[:4] == from_json.stamp[:4]
    with_document = arrived(encode_event({**ENVELOPE, "document": b64encode(part10(image())).decode()}))
    assert with_document[:3] == from_json[:3]


@pytest.mark.parametrize(
    "members",
    [
        {"dataset": model_of(image())},
        {"document": b64encode(part10(image())).decode()},
        {"dataset": model_of(image()), **TYPED},
        {"document": b64encode(part10(image())).decode(), "sop_instance_uid": "2.999.1.2.3\0"},
    ],
)
def test_an_event_with_its_object(members: dict[str, Any]) -> None:
    value = dump({**ENVELOPE, **members, "number_of_series_related_instances": 9})
    event = arrived(value)
    assert event[:3] == ("2.999.1", "2.999.1.2", "2.999.1.2.3")
    assert (event.header.modality, event.instance.number, event.expected, event.dated) == ("CT", 4, 9, True)
    assert event.stamp == Stamp(1_710_148_500_000_000, False, "PACS_A", "e1", sha256(value).digest()[:8])


def test_a_claim_check(tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(part10(image()))
    value = dump({**ENVELOPE, "uri": (tmp_path / "1.dcm").as_uri()})
    event = Decoder(ReadingPolicy(), ClaimChecks(tmp_path)).decode(record(value), NOW_MS)
    assert isinstance(event, InstanceArrived)
    assert refusal(value) == (DeadLetterCode.DOCUMENT_REFUSED, "uri")


@pytest.mark.parametrize(
    ("field", "tag"),
    [
        ("study_instance_uid", "(0020,000D)"),
        ("series_instance_uid", "(0020,000E)"),
        ("sop_instance_uid", "(0008,0018)"),
    ],
)
def test_the_fields_may_not_contradict_the_object(field: str, tag: str) -> None:
    value = dump({**ENVELOPE, "dataset": model_of(image()), field: "2.999.7"})
    assert refusal(value) == (DeadLetterCode.UNDECODABLE_RECORD, tag)


def test_a_report_by_its_class_whatever_the_event_is_called() -> None:
    for name in ("instance.arrived", "report.arrived"):
        members = {**ENVELOPE, "event": name, "dataset": model_of(key_objects()), "laterality": 5}
        event = decode(dump(members))
        assert isinstance(event, DocumentArrived)
        assert WarningCode.BAD_VR in event.document.warnings
    assert isinstance(decode(dump({**ENVELOPE, **TYPED, "event": "report.arrived"})), InstanceArrived)


@pytest.mark.parametrize(
    "name",
    [
        {"Alphabetic": "A^B"},
        "A^B",
        [{"Alphabetic": "A^B"}, {"Alphabetic": "C^D"}],
        {"Alphabetic": "A^B^C^D^E^F"},
        {},
    ],
)
def test_person_names_in_any_form(name: Any) -> None:
    model = model_of(image())
    model["00100010"] = {"vr": "PN", "Value": name if isinstance(name, list) else [name]}
    assert arrived(dump({**ENVELOPE, "dataset": model})).sop_instance_uid == "2.999.1.2.3"


def test_padded_uids_are_one_instance() -> None:
    for padded in ("2.999.1.2.3\0", " 2.999.1.2.3", "2.999.1.2.3 "):
        model = model_of(image())
        model["00080018"]["Value"] = [padded]
        for members in ({**TYPED, "sop_instance_uid": padded}, {"dataset": model}):
            event = arrived(dump({**ENVELOPE, **members}))
            assert event.sop_instance_uid == "2.999.1.2.3"
            assert WarningCode.UID_PADDING_STRIPPED in event.warnings


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (part10(image()), None),
        (part10(image()), "application/octet-stream"),
        (bare(image()), "application/dicom"),
        (dump(model_of(image())), "application/dicom+json"),
        (dump([model_of(image())]), "application/DICOM+json; charset=utf-8"),
    ],
)
def test_a_bare_object_has_no_envelope(value: bytes, content_type: str | None) -> None:
    headers = [("content-type", content_type.encode())] if content_type else None
    event = arrived(value, headers)
    digest = sha256(value)
    assert event.stamp == Stamp(
        1_710_000_000_000_000, False, "unknown", digest.hexdigest(), digest.digest()[:8]
    )
    assert (event.sop_instance_uid, event.dated) == ("2.999.1.2.3", False)


def test_a_bare_object_takes_its_source_from_a_header_and_now_without_a_timestamp() -> None:
    for timestamp_ms in (-1, 0):
        given = record(part10(image()), [("source", b"CT_1")], timestamp_ms)
        event = DECODER.decode(given, NOW_MS)
        assert isinstance(event, InstanceArrived)
        assert (event.stamp.source, event.stamp.occurred_at_us) == ("CT_1", NOW_MS * 1000)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0",
        b"\1\0\0\0\1\2x",
        b"\0\xff\xff\xff\xff\2x",
        b"\0\0\0\0\1@x",
        b"\xc3\x01",
        b"\xc3\x01unknown schema",
        encode_event({**ENVELOPE, **TYPED})[:-1],
        b'{"format":"x","note":"\xff\xfe"}',
        b'{"event":"instance.arri',
        b"[1,2,3]",
        b"42",
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 20_000,
        dump({**ENVELOPE, **TYPED})[:-1] + b',"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        bare(image()),
    ],
)
def test_poison_is_undecodable(value: bytes) -> None:
    assert refusal(value)[0] == DeadLetterCode.UNDECODABLE_RECORD


def test_registry_framing_by_header_and_a_model_that_is_none() -> None:
    assert refusal(b"x", [("__value_schema_id", b"\1")])[0] == DeadLetterCode.UNDECODABLE_RECORD
    assert (
        refusal(b"[]", [("content-type", b"application/dicom+json")])[0] == DeadLetterCode.UNDECODABLE_RECORD
    )


def test_unknown_events() -> None:
    twice = b'{"dataset": null, "event": "a", "event": "b", "event_id": "e"}'
    for value in (twice, b'{"event":"something.new"}'):
        assert refusal(value) == (DeadLetterCode.UNKNOWN_EVENT, "event")


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b'{"event": 1}', [b'{"event": 1}']),
        (b'\xef\xbb\xbf\n[{"a": 1,\n "a": 2}, {}]\n', [b'{"a": 1,\n "a": 2}', b"{}"]),
        (b'{"a": 1}\r\n\r\n{"a"\n{"a": 3}\n', [b'{"a": 1}', b'{"a"', b'{"a": 3}']),
        (b'[{"a": 1},\n {"a"', [b'[{"a": 1},\n {"a"']),
        (b"", [b""]),
        (b"[]", []),
    ],
)
def test_event_files(data: bytes, events: list[bytes]) -> None:
    assert split_event_file(data) == events
