"""What is looked at when: documents and selections at once, enrichment at the pace of the series, waiting."""

from __future__ import annotations

import pytest

from processors.core.events import (
    Focus,
    FocusKind,
    FragmentReported,
    InstanceHeader,
    InstancesRejected,
    ReportedItem,
    SeriesHeader,
    SubsetKind,
)
from processors.core.identity import reference_id, series_key
from processors.core.policy import Policy
from processors.pipeline.records import OutputTopic
from tests.builders.events import (
    CT,
    HEADER,
    STUDY,
    arrived,
    deleted,
    document,
    item,
    key_images,
    rejection,
    reported,
    selected,
    stamp,
    unselected,
    updated,
)
from tests.unit.pipeline.site import Site, facts, headers_of, letters, resources

UNPLACED = item(study="", series="")
SITE = Policy(unresolved_after_s=60)


def kinds(site: Site) -> list[tuple[str, int, str]]:
    return [(f["kind"], f["revision"], f["withdrawal_reason"] or "") for f in facts(site.outputs)]


def test_a_series_uid_in_two_studies_gives_two_references_and_a_warning() -> None:
    site = Site(partitions=1)
    site.tell(arrived("3.1"))
    site.wait(10)
    site.tell(arrived("3.9", study="1.2"))
    site.wait(10)
    assert [fact["warnings"] for fact in facts(site.outputs)] == [[], ["series_study_conflict"]]
    assert len({fact["reference_id"] for fact in facts(site.outputs)}) == 2
    assert site.member.events["warning", "series_study_conflict"] == 1


def test_evidence_that_contradicts_what_arrived_is_a_warning() -> None:
    site = Site()
    site.tell(arrived("3.1"), reported(document(key_images(item("3.1"), item("3.1", study="1.2")))))
    said = {fact["study_instance_uid"]: fact["warnings"] for fact in facts(site.outputs)}
    assert said == {STUDY: ["series_study_conflict", "sop_uid_conflict"], "1.2": []}


def test_a_document_is_published_at_once_and_enriched_with_its_series() -> None:
    site = Site()
    site.tell(arrived("3.7", series="2.7"))
    site.wait(10)
    site.tell(reported(document(key_images(item()))))
    assert kinds(site)[1:] == [("key_images", 1, "")]
    assert site.wait(10) == site.tell(arrived()) == []
    site.wait(10)
    assert kinds(site)[2:] == [("series", 1, ""), ("key_images", 2, "")]
    (_, first, _, enriched) = resources(site.outputs)
    assert "number" not in first["instance"][0]
    assert enriched["instance"][0]["number"] == 1


def test_a_3d_region_is_looked_at_when_any_series_of_its_study_closes() -> None:
    site = Site()
    region = key_images(item())._replace(focus=(Focus(FocusKind.FRAME_OF_REFERENCE, "4.1"),))
    site.tell(reported(document(region)), arrived("3.6", series="2.6"))
    site.wait(10)
    site.tell(arrived("3.7", series="2.7", instance=InstanceHeader(CT, 1, frame_of_reference_uid="4.1")))
    site.wait(10)
    *_, revised = resources(site.outputs)
    assert [f["reference"] for f in revised["focus"]] == [
        f"ImagingSelection/{reference_id(series_key(STUDY, '2.7'))}"
    ]


def test_an_unknown_reference_waits_is_given_up_once_and_still_revived() -> None:
    site = Site(SITE)
    site.tell(reported(document(key_images(UNPLACED))))
    assert site.member.dispositions == {("parked", ""): 1}
    assert site.wait(59.999) == []
    (letter,) = site.wait(0.001)
    headers = headers_of(letter)
    assert headers["__imaging.errors.code"] == "series_unknown"
    assert headers["__streams.errors.topic"] == "dicom-reports"
    assert site.member.events["parked_expired", "series_unknown"] == 1
    assert site.member.dispositions == {("parked", ""): 1}, "its record was counted when it came"
    site.tell(arrived("3.7", series="2.7"))
    site.wait(10)
    assert letters(site.wait(3600)) == [], "it is looked at again and not given up again"
    site.tell(arrived())
    site.wait(10)
    assert kinds(site)[1:] == [("series", 1, ""), ("key_images", 1, "")]


def test_what_is_found_no_longer_waits() -> None:
    site = Site(SITE)
    site.tell(reported(document(key_images(UNPLACED))))
    site.wait(30)
    site.tell(arrived())
    site.wait(3600)
    assert letters(site.outputs) == []
    assert kinds(site) == [("series", 1, ""), ("key_images", 1, "")]


def test_waiting_is_counted_from_the_inputs_time() -> None:
    site = Site(SITE)
    record = site.told(reported(document(key_images(UNPLACED))))
    site.now_ms += 45_000
    site.feed(record)
    assert letters(site.wait(14.999)) == []
    assert len(letters(site.wait(0.001))) == 1


def test_another_content_starts_the_wait_anew_and_can_be_given_up_again() -> None:
    site = Site(SITE)
    site.tell(reported(document(key_images(UNPLACED)), 1))
    site.wait(60)
    site.tell(reported(document(key_images(UNPLACED, item("3.8", study="", series=""))), 2))
    assert len(letters(site.wait(60))) == 1
    assert len(letters(site.outputs)) == 2


def frames(*numbers: int) -> ReportedItem:
    return item()._replace(subset_kind=SubsetKind.FRAMES, subset=tuple(map(str, numbers)))


def test_frames_that_the_image_has_not_are_a_dead_letter_when_the_image_is_known() -> None:
    site = Site()
    image = arrived(instance=InstanceHeader(CT, 1, frames=2))
    site.tell(image, reported(document(key_images(frames(9)))))
    assert site.member.dispositions["dead_lettered", "frame_out_of_range"] == 1
    assert kinds(site) == []
    later = Site()
    later.tell(reported(document(key_images(frames(9)))))
    later.tell(image)
    later.wait(10)
    assert kinds(later) == [("key_images", 1, ""), ("series", 1, ""), ("key_images", 2, "invalid")]


@pytest.mark.parametrize("title", ["113037", "113039"])
def test_a_rejection_acts_at_once_on_what_was_published(title: str) -> None:
    site = Site()
    site.tell(arrived(), reported(document(key_images(item()))), selected(item()))
    site.wait(10)
    assert [revision for _, revision, _ in kinds(site)] == [1, 1, 1]
    site.tell(reported(rejection(title, (STUDY, "2.1", "3.1")), 5))
    assert sorted(kinds(site)[-3:]) == [
        ("key_images", 2, f"iocm-{title}"),
        ("selection", 2, f"iocm-{title}"),
        ("series", 2, f"iocm-{title}"),
    ]
    before = len(site.outputs)
    site.tell(arrived(at_s=9))
    site.wait(10)
    revived = [headers_of(o)["ce_type"] for o in site.outputs[before:] if o.topic is OutputTopic.FHIR]
    assert revived == (["imaging-reference.revived"] * 3 if title == "113039" else [])


def test_a_correction_reaches_every_reference_of_the_study() -> None:
    site = Site()
    site.tell(
        arrived(), arrived("3.2", series="2.2"), reported(document(key_images(item()))), selected(item())
    )
    site.wait(10)
    corrected = resources(site.tell(updated(9, SeriesHeader(patient_id="P9"))))
    assert len(corrected) == 4
    assert {r["subject"]["identifier"]["value"] for r in corrected} == {"P9"}


def test_a_corrected_header_of_one_series_is_the_patient_of_all() -> None:
    site = Site()
    site.tell(arrived(at_s=1), arrived("3.2", 2, series="2.2"))
    site.wait(10)
    site.tell(arrived("3.3", 3, series="2.2", header=HEADER._replace(patient_id="P2")))
    site.wait(10)
    assert {r["subject"]["identifier"]["value"] for r in resources(site.outputs[-4:])} == {"P2"}


def test_a_resend_decides_whose_the_study_is() -> None:
    site = Site()
    other = HEADER._replace(patient_id="P2")
    site.tell(arrived(at_s=1), arrived("3.2", 2, series="2.2", header=other))
    site.wait(10)
    site.tell(arrived(at_s=3))
    assert len(resources(site.wait(10))) == 2
    assert site.member.dispositions["duplicate", ""] == 1


def test_a_withdrawn_selection_and_one_that_comes_back() -> None:
    site = Site()
    site.tell(selected(item(), at_s=1))
    site.tell(unselected(2))
    site.tell(selected(item(), at_s=1))
    site.tell(selected(item(), at_s=3))
    assert kinds(site) == [("selection", 1, ""), ("selection", 2, "withdrawn"), ("selection", 3, "")]
    assert facts(site.outputs)[0]["sources"] == ["PACS_A"]


def test_a_document_and_its_fragments_go_together() -> None:
    site = Site()
    far = item("3.9", study="1.2", series="2.5")
    made = document(key_images(item(), far))
    site.tell(reported(made, 1))
    assert {r["studyUid"] for r in resources(site.outputs)} == {"1.1", "1.2"}
    assert site.member.dispositions == {("applied", ""): 2}
    site.tell(deleted("5.1", 2, series="2.9"))
    assert [w for *_, w in kinds(site)[-2:]] == ["deleted", "deleted"]
    assert site.tell(FragmentReported("1.2", made, stamp(1), 0)) == [], "what is older than the last sent"
    site.tell(reported(document(key_images(item())), 3))
    (there,) = [r for r in resources(site.outputs) if r["studyUid"] == "1.2"][-1:]
    assert there["status"] == "entered-in-error"
    assert facts(site.outputs)[-1]["inputs"][0]["topic"] == "dicom-reports"


def test_an_equal_fragment_is_not_sent_again() -> None:
    site = Site()
    made = document(key_images(item("3.9", study="1.2", series="2.5")))
    site.tell(reported(made, 1))
    consumed = site.member.consumed
    site.tell(InstancesRejected(STUDY, "113037", (("", "3.7"),), stamp(4)), updated(1, SeriesHeader("MR")))
    assert site.member.consumed == consumed + 2
