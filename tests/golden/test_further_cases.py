"""What the golden examples lead to: replaced, lost, expired and copied documents, and odd UIDs."""

from __future__ import annotations

from itertools import permutations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from tests.builders.goldens import (
    Message,
    Resource,
    arrival,
    arrivals,
    event,
    g1,
    g7,
    g9,
    rejection,
    reported,
    successor_of_g7,
)
from tests.builders.images import ct, image
from tests.builders.key_objects import RETENTION_EXPIRED, key_objects
from tests.builders.slides import slide
from tests.builders.structured_reports import evidence_of, polyline_report
from tests.golden.timeline import Timeline, content, uids
from tests.unit.dicom.cad_reports import mammogram, mammography_report
from tests.unit.dicom.report_items import image_item, report_of, scoord

DAY_S = 86_400


def outcome(messages: list[Message]) -> tuple[dict[str, Resource], Timeline]:
    """Contents by id once every clock has run out."""
    timeline = Timeline()
    timeline.send(messages)
    timeline.run_out()
    return {i: content(r) for i, r in timeline.references.items()}, timeline


def withdrawn_as(reason: str, status: str, resource: Resource) -> Resource:
    system = "https://imaging-reference.example/fhir/CodeSystem/withdrawal-reason"
    return resource | {"status": status, "meta": {"tag": [{"system": system, "code": reason}]}}


def test_e1_a_successor_withdraws_what_its_predecessor_made() -> None:
    references, timeline = outcome([*g7().records, successor_of_g7()])
    for expected in g7().expected:
        assert references[expected["id"]] == withdrawn_as("superseded", "entered-in-error", expected)
    new = [r for r in references.values() if r["identifier"][1]["value"] == "urn:oid:2.999.1.100.4"]
    assert [r["status"] for r in new] == ["available"] * 2
    assert [uids(r) for r in sorted(new, key=lambda r: str(r["seriesUid"]))] == [
        ["2.999.1.100.4"],
        ["2.999.1.2.2"],
    ]
    assert [f["withdrawal_reason"] for f in timeline.facts].count("superseded") == 2


def test_e2_the_order_of_successor_and_predecessor_does_not_matter() -> None:
    *images, predecessor = g7().records
    in_order, _ = outcome([*images, predecessor, successor_of_g7()])
    reversed_order, _ = outcome([successor_of_g7(), predecessor, *images])
    assert reversed_order == in_order


def test_a_successor_of_one_copy_withdraws_what_identical_copies_made() -> None:
    """PS3.3 C.17.2.2: the successor ought to name all of them; this one names the copy alone."""
    copy = polyline_report("2.999.1.100.3")
    copy.IdenticalDocumentsSequence = evidence_of([polyline_report()])
    successor = polyline_report("2.999.1.100.4")
    successor.PredecessorDocumentsSequence = evidence_of([copy])
    documents = [g7().records[-1], reported(copy, "11:40"), reported(successor, "12:00")]
    for order in permutations(documents):
        references, _ = outcome([*g7().records[:-1], *order])
        for expected in g7().expected:
            assert references[expected["id"]] == withdrawn_as("superseded", "entered-in-error", expected)


def merged(prior: str, survivor: str, at: str) -> Message:
    """HL7 v2 A40; no issuers: both ids are of the source's own system."""
    return event("patient.merged", at, "", patient_id=survivor, prior_patient_id=prior)


def test_e3_a_merge_points_every_reference_of_the_prior_patient_to_the_survivor() -> None:
    timeline = Timeline()
    timeline.send([*g7().records, arrival(far(), "10:05")])
    timeline.wait(10)
    before = timeline.references
    assert timeline.send([merged("P1", "P2", "12:00")]) == []
    after = timeline.wait(1)
    assert {r["id"] for r in after} == before.keys()
    for resource in after:
        subject = {"type": "Patient", "identifier": {"system": "urn:oid:2.999.8", "value": "P2"}}
        assert content(resource) == content(before[resource["id"]]) | {"subject": subject}
    first, _ = outcome([merged("P1", "P2", "12:00"), arrival(far(), "10:05"), *g7().records])
    assert first == {i: content(r) for i, r in timeline.references.items()}


def without_evidence() -> Message:
    document = polyline_report()
    del document.CurrentRequestedProcedureEvidenceSequence
    return reported(document, "11:31")


def test_e5_a_reference_to_an_unknown_image_waits_for_it() -> None:
    *images, _ = g7().records
    timeline = Timeline()
    assert timeline.send([without_evidence()]) == timeline.wait(DAY_S - 1) == []
    assert timeline.dispositions == {("parked", ""): 1}
    assert timeline.send(images) == []
    published = {r["id"]: content(r) for r in timeline.wait(10)}
    assert [published[each["id"]] for each in g7().expected] == g7().expected
    assert timeline.dead_letters == []
    assert timeline.wait(2 * DAY_S) == []
    assert timeline.dead_letters == [], "what has come no longer waits"


def test_e5_a_reference_that_waits_in_vain_is_put_aside_and_still_revived() -> None:
    *images, _ = g7().records
    timeline = Timeline()
    timeline.send([without_evidence()])
    assert timeline.wait(DAY_S) == []
    (letter,) = timeline.dead_letters
    headers = {name: value.decode() for name, value in letter.headers}
    assert headers["__imaging.errors.code"] == "series_unknown"
    assert (headers["__streams.errors.topic"], headers["__streams.errors.offset"]) == ("dicom-reports", "0")
    assert timeline.wait(DAY_S) == []
    assert len(timeline.dead_letters) == 1
    timeline.send(images)
    published = {r["id"]: content(r) for r in timeline.wait(10)}
    assert [published[each["id"]] for each in g7().expected] == g7().expected


def test_e4_a_region_of_a_whole_slide_leaves_its_image_and_is_counted() -> None:
    drawn_on = scoord("POLYLINE", [70_000, 20, 70_040, 60], [image_item(slide())])
    drawn_on.PixelOriginInterpretation = "VOLUME"
    report = reported(report_of(drawn_on, images=[slide()]), "11:00")
    references, timeline = outcome([arrival(slide(), "10:00"), report])
    (named,) = [r for r in references.values() if r["category"][0]["coding"][0]["code"] == "SR"]
    (instance,) = named["instance"]
    assert (instance["uid"], "imageRegion2D" in instance) == ("2.999.1.8.1", False)
    assert [e["url"].rpartition("/")[2] for e in instance["extension"]] == ["total-pixel-matrix-region"]
    assert timeline.member.events["warning", "region_dropped"] == 1
    assert [f["warnings"] for f in timeline.facts if f["modality"] == "SR"] == [["region_dropped"]]


def test_e6_a_finding_is_on_one_image_of_the_cad_library() -> None:
    views = [mammogram(number) for number in range(1, 5)]
    references, timeline = outcome([*arrivals(views), reported(mammography_report(), "11:00")])
    regions = [r for r in references.values() if r["seriesUid"] == "2.999.1.6" and "focus" in r]
    assert {r["code"]["coding"][0]["display"]: [i["uid"] for i in r["instance"]] for r in regions} == {
        "Center": ["2.999.1.6.2"],
        "Outline": ["2.999.1.6.2"],
    }
    drawn = [region["coordinate"] for r in regions for region in r["instance"][0]["imageRegion2D"]]
    assert sorted(drawn, key=len) == [[100.5, 200.25], [90, 190, 110, 190, 110, 210, 90, 190]]
    assert len(references) == 4, "these, their finding, and the series of the images"
    assert timeline.dead_letters == []


def test_e7_expired_images_that_come_back_are_available_again() -> None:
    images = [ct(1), ct(2), ct(3)]
    timeline = Timeline()
    timeline.send(g1().records)
    (withdrawn,) = timeline.send([rejection("5", RETENTION_EXPIRED, images, "12:00")])
    (expected,) = g1().expected
    assert content(withdrawn) == withdrawn_as("iocm-113039", "unknown", expected)
    assert timeline.send([arrival(each, "12:30") for each in images]) == []
    (revived,) = timeline.wait(10)
    assert content(revived) == expected, "with the time of the first arrival: a resend is none"
    assert revived["meta"]["versionId"] == "3"
    expired_late, _ = outcome([*g1().records, rejection("5", RETENTION_EXPIRED, images, "12:00")])
    assert list(expired_late.values()) == [content(withdrawn)]


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # pydicom, of the test's own object
def test_e9_a_leading_zero_is_kept_with_a_warning() -> None:
    odd = image("2.999.1.02", "2.999.1.02.1", series_number=2, number=1)
    note = key_objects("2.999.1.200.1", [odd])
    references, timeline = outcome([arrival(odd, "10:01"), reported(note, "11:01")])
    assert [(r["seriesUid"], uids(r)) for r in references.values()] == [("2.999.1.02", ["2.999.1.02.1"])] * 2
    assert {tuple(f["warnings"]) for f in timeline.facts} == {("uid_leading_zero",)}


# ---- what crosses studies ---------------------------------------------------------------------------------

OTHER = "2.999.2"


def far() -> Dataset:
    """An image of the other study."""
    return image("2.999.2.2", "2.999.2.2.1", series_number=1, number=1, study=OTHER)


def note_over_two_studies() -> Dataset:
    document = key_objects("2.999.1.200.6", [ct(2)])
    item = document.ContentSequence[-1]
    second = Dataset.from_json(item.to_json())
    second.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.999.2.2.1"
    document.ContentSequence = DicomSequence([*document.ContentSequence, second])
    document.CurrentRequestedProcedureEvidenceSequence = [*evidence_of([ct(2)]), *evidence_of([far()])]
    return document


def copy_in_other_study() -> Dataset:
    """The same note as it lies in the other study, under a smaller UID."""
    copy = Dataset.from_json(note_over_two_studies().to_json())
    copy.StudyInstanceUID, copy.SeriesInstanceUID, copy.SOPInstanceUID = OTHER, "2.999.2.200", "2.999.1.200.5"
    copy.IdenticalDocumentsSequence = evidence_of([note_over_two_studies()])
    return copy


def named_original() -> Dataset:
    original = note_over_two_studies()
    original.IdenticalDocumentsSequence = evidence_of([copy_in_other_study()])
    return original


def test_e10_copies_in_two_studies_make_the_same_references_in_any_order() -> None:
    images = [arrival(ct(2), "10:01"), arrival(far(), "10:02")]
    copies = [reported(named_original(), "11:00"), reported(copy_in_other_study(), "11:05")]
    outcomes = [outcome(list(order))[0] for order in permutations([*images, *copies])]
    key_images = {i: r for i, r in outcomes[0].items() if "113000" in str(r["code"])}
    assert sorted((r["studyUid"], *uids(r)) for r in key_images.values()) == [
        ("2.999.1", "2.999.1.2.2"),
        ("2.999.2", "2.999.2.2.1"),
    ]
    assert {r["identifier"][1]["value"] for r in key_images.values()} == {"urn:oid:2.999.1.200.5"}
    assert all(other == outcomes[0] for other in outcomes)


def test_a_fragment_follows_its_document() -> None:
    timeline = Timeline()
    timeline.send([arrival(far(), "10:01"), reported(note_over_two_studies(), "11:00")])
    (there,) = [r for r in timeline.published if r["studyUid"] == OTHER]
    gone = event(
        "instance.deleted", "11:10", series_instance_uid="2.999.1.200", sop_instance_uid="2.999.1.200.6"
    )
    timeline.send([gone])
    assert content(timeline.references[there["id"]]) == withdrawn_as(
        "deleted", "entered-in-error", content(there)
    )
    timeline.send([reported(note_over_two_studies(), "11:20")])
    assert content(timeline.references[there["id"]]) == content(there)


@pytest.mark.parametrize("note_first", [False, True])
def test_a_note_rejects_in_every_study_that_it_names(note_first: bool) -> None:
    note = note_over_two_studies()
    note.ConceptNameCodeSequence[0].CodeValue = "113037"
    records = [arrival(ct(2), "10:01"), arrival(far(), "10:02")]
    references, _ = outcome(
        [reported(note, "09:00"), *records] if note_first else [*records, reported(note, "11:00")]
    )
    assert {(r["studyUid"], r["status"]) for r in references.values()} == {
        ("2.999.1", "entered-in-error"),
        (OTHER, "entered-in-error"),
    }


def test_a_note_without_evidence_rejects_within_its_study() -> None:
    note = key_objects("2.999.1.200.7", [ct(2)])
    note.ConceptNameCodeSequence[0].CodeValue = "113037"
    del note.CurrentRequestedProcedureEvidenceSequence
    records = [reported(note, "09:00"), arrival(ct(1), "10:01"), arrival(ct(2), "10:02")]
    for order in permutations(records):
        references, timeline = outcome(list(order))
        assert [uids(r) for r in references.values()] == [["2.999.1.2.1"]]
        assert timeline.dead_letters == []


# ---- what is told of what went wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("key", [b"2.999.1", b"x", b"xx", b"xxx", None])
def test_a_refused_document_is_put_aside_as_it_came_whatever_its_key(key: bytes | None) -> None:
    document = key_objects("2.999.1.200.1", [ct(2)])
    del document.ContentSequence
    message = reported(document, "11:00")._replace(key=key)
    timeline = Timeline()
    assert timeline.send([message]) == timeline.run_out() == []
    (letter,) = timeline.dead_letters
    assert (letter.key, letter.value) == (key, message.value)
    headers = {name: value.decode() for name, value in letter.headers}
    assert headers["__imaging.errors.code"] == "no_usable_reference"
    assert headers["__imaging.errors.tag"] == "(0040,A730)"
    assert headers["__streams.errors.topic"] == "dicom-reports"
    assert timeline.dispositions["dead_lettered", "no_usable_reference"] == 1
    assert sum(timeline.dispositions.values()) == timeline.member.consumed


def test_a_warning_about_a_repeated_arrival_outlives_a_restart() -> None:
    timeline = Timeline()
    timeline.send([arrival(ct(1), "10:01")])
    timeline.run_out()
    timeline.send([arrival(ct(1), "10:01", laterality=3)])
    assert timeline.run_out() == [], "a warning never causes a revision"
    timeline.member.restart()
    timeline.send([arrival(ct(2), "10:02")])
    timeline.run_out()
    assert [fact["warnings"] for fact in timeline.facts] == [[], ["bad_vr"]]
    assert timeline.dispositions["duplicate", ""] == 1


ON_IMAGES = {"IMAGING_REFERENCE__FHIR__SPACE_REGIONS": "image"}


@pytest.mark.parametrize("images_first", [True, False])
def test_a_region_in_space_may_hang_on_an_image_instead_of_its_report(images_first: bool) -> None:
    """R5's own example has it on one (MAPPING 2.3); what the report held until images came is withdrawn."""
    images, (report,) = g9().batches
    timeline = Timeline(ON_IMAGES)
    for batch in [images, [report]] if images_first else [[report], images]:
        timeline.send(batch)
    timeline.run_out()
    item, on_report = g9().expected
    found = {i: content(r) for i, r in timeline.references.items() if r["code"] == on_report["code"]}
    (region,) = [r for r in found.values() if r["status"] == "available"]
    (instance,) = on_report["instance"]
    ct_image = {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.2"}
    assert region["instance"] == [
        {"uid": "2.999.1.2.1", "number": 1, "sopClass": ct_image, "imageRegion3D": instance["imageRegion3D"]}
    ]
    assert (region["seriesUid"], region["focus"]) == ("2.999.1.2", on_report["focus"])
    assert content(timeline.references[item["id"]]) == item
    before = [] if images_first else [withdrawn_as("superseded", "entered-in-error", on_report)]
    assert [r for r in found.values() if r != region] == before


def test_r6_has_regions_in_space_beside_the_instances_whatever_the_setting() -> None:
    regions = []
    for settings in ({}, ON_IMAGES):
        timeline = Timeline({"IMAGING_REFERENCE__FHIR__RELEASE": "R6", **settings})
        timeline.send(g9().records)
        timeline.run_out()
        regions.append([content(r) for r in timeline.references.values() if "imageRegion3D" in r])
    assert len(regions[0]) == 1
    assert regions[0] == regions[1]
