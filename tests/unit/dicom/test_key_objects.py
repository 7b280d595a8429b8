"""Key Object Selections: key images, rejection notes, manifests, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.coding import Code as DicomCode

from processors.core.events import (
    Accession,
    Code,
    Concept,
    Document,
    DocumentArrived,
    Focus,
    FocusKind,
    GroupKind,
    InstanceArrived,
    Performer,
    RejectedInstance,
    RejectionNote,
    ReportedItem,
    Stamp,
    SubsetKind,
)
from processors.core.vocabulary import DCM
from processors.dicom import ReadingPolicy, event_of_object
from tests.builders.images import ct, encoded, enhanced_ct
from tests.builders.key_objects import OF_INTEREST, frame_selection, golden_g5, key_objects, nodule_selection

STAMP = Stamp(0, False, "PACS", "e1", b"")
CT = "1.2.840.10008.5.1.4.1.1.2"


def document(data: Dataset | bytes) -> Document:
    data = data if isinstance(data, bytes) else encoded(data)
    event = event_of_object(data, STAMP, ReadingPolicy(), dated=True)
    assert isinstance(event, DocumentArrived)
    return event.document


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def pointing(frames: Sequence[int] | None = None, image: Dataset | None = None) -> Dataset:
    """A KOS with one IMAGE item on `frames` of an image."""
    selection = key_objects("2.999.1.200.1", [image or enhanced_ct()])
    if frames is not None:
        selection.ContentSequence[-1].ReferencedSOPSequence[0].ReferencedFrameNumber = list(frames)
    return selection


def test_key_images_of_two_series() -> None:
    read = document(nodule_selection())
    assert read.path == ("2.999.1", "2.999.1.200", "2.999.1.200.1")
    assert (read.modality, read.issued) == ("KO", "2026-01-02T11:00:00+01:00")
    assert read.performers == (Performer("PRF", "Practitioner", "Marie Curie"),)
    assert (read.header.series_number, read.instance.number, len(read.content_digest)) == (200, 1, 8)
    (group,) = read.groups
    assert (group.kind, group.suffix, group.description) == (
        GroupKind.KEY_IMAGES,
        "",
        "Nodule right upper lobe",
    )
    assert group.code == Concept(Code(DCM, "113000", "Of Interest"), "Nodule right upper lobe")
    assert group.items == (
        ReportedItem("2.999.1", "2.999.1.2", "2.999.1.2.2", CT),
        ReportedItem("2.999.1", "2.999.1.3", "2.999.1.3.7", CT),
    )
    assert (read.problem, read.manifest, read.rejection, read.warnings) == ("", False, None, ())


def test_frames_of_one_instance_are_merged() -> None:
    (group,) = document(frame_selection()).groups
    (item,) = group.items
    assert (item.subset_kind, item.subset) == (SubsetKind.FRAMES, ("12", "13", "40"))
    assert group.code.text == group.description == ""


def test_a_whole_instance_swallows_its_frames() -> None:
    selection = frame_selection()
    del selection.ContentSequence[-1].ReferencedSOPSequence[0].ReferencedFrameNumber
    (group,) = document(selection).groups
    assert [(item.subset_kind, item.subset) for item in group.items] == [(SubsetKind.NONE, ())]


@pytest.mark.parametrize(
    ("frames", "subset"),
    [([3], ("3",)), ([5, 1, 3, 3], ("1", "3", "5")), ([9, 10, 1], ("1", "9", "10")), ([], ())],
)
def test_forms_of_frame_numbers(frames: list[int], subset: tuple[str, ...]) -> None:
    (group,) = document(pointing(frames)).groups
    assert group.items[0].subset == subset


@pytest.mark.parametrize("frames", [[0], [-1]])
def test_frame_numbers_begin_with_one(frames: list[int]) -> None:
    read = document(pointing(frames))
    assert (read.groups, read.problem, read.problem_tag) == ((), "frame_out_of_range", "(0008,1160)")


def test_a_selection_of_nothing() -> None:
    selection = nodule_selection()
    for item in selection.ContentSequence[-2:]:
        item.ReferencedSOPSequence = []
    read = document(selection)
    assert (read.groups, read.problem, read.problem_tag) == ((), "no_usable_reference", "(0040,A730)")
    assert read.warnings == ("reference_missing", "reference_missing")


def test_without_evidence_no_series_is_guessed() -> None:
    selection = nodule_selection()
    del selection.CurrentRequestedProcedureEvidenceSequence
    (group,) = document(selection).groups
    assert {item[:2] for item in group.items} == {("", "")}
    assert [item.sop_instance_uid for item in group.items] == ["2.999.1.2.2", "2.999.1.3.7"]


def test_pertinent_other_evidence_is_read_too() -> None:
    selection = nodule_selection()
    selection.PertinentOtherEvidenceSequence = selection.CurrentRequestedProcedureEvidenceSequence
    del selection.CurrentRequestedProcedureEvidenceSequence
    (group,) = document(selection).groups
    assert [item.series_instance_uid for item in group.items] == ["2.999.1.2", "2.999.1.3"]


def test_references_at_any_depth() -> None:
    selection = nodule_selection()
    *others, image = selection.ContentSequence
    container = Dataset()
    container.RelationshipType, container.ValueType = "CONTAINS", "CONTAINER"
    container.ContentSequence = [image]
    selection.ContentSequence = DicomSequence([*others, container])
    (group,) = document(selection).groups
    assert len(group.items) == 2


def test_title_modifiers_are_categories() -> None:
    modifier = Dataset()
    modifier.RelationshipType, modifier.ValueType = "HAS CONCEPT MOD", "CODE"
    modifier.ConceptNameCodeSequence = [coded("113011", "DCM", "Document Title Modifier")]
    modifier.ConceptCodeSequence = [coded("113015", "DCM", "Series")]
    selection = nodule_selection()
    selection.ContentSequence = DicomSequence([*selection.ContentSequence, modifier])
    (group,) = document(selection).groups
    assert group.category == (Concept(Code(DCM, "113015", "Series")),)


def test_presentation_states_and_requests() -> None:
    selection = pointing(image=ct(1))
    state, request = Dataset(), Dataset()
    state.ReferencedSOPClassUID, state.ReferencedSOPInstanceUID = (
        "1.2.840.10008.5.1.4.1.1.11.1",
        "2.999.1.400.1",
    )
    selection.ContentSequence[-1].ReferencedSOPSequence[0].ReferencedSOPSequence = [state]
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = "2.999.1.400", [state]
    assert document(selection).groups[0].focus == (Focus(FocusKind.PRESENTATION_STATE, "||2.999.1.400.1"),)
    selection.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence.append(series)
    request.AccessionNumber = "ACC2"
    selection.ReferencedRequestSequence = [request]
    read = document(selection)
    assert read.groups[0].focus == (Focus(FocusKind.PRESENTATION_STATE, "2.999.1|2.999.1.400|2.999.1.400.1"),)
    assert read.accessions == (Accession("ACC2"),)


def test_identical_documents() -> None:
    selection = nodule_selection()
    copies = []
    for uid in ("2.999.1.200.9", "2.999.1.200.1"):
        copy, series, reference = Dataset(), Dataset(), Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = selection.SOPClassUID, uid
        series.SeriesInstanceUID, series.ReferencedSOPSequence = "2.999.2.200", [reference]
        copy.StudyInstanceUID, copy.ReferencedSeriesSequence = "2.999.2", [series]
        copies.append(copy)
    selection.IdenticalDocumentsSequence = copies
    assert document(selection).identical == ("2.999.1.200.9",)


def test_a_rejection_note_is_a_command() -> None:
    read = document(golden_g5())
    rejected = (RejectedInstance("2.999.1", "2.999.1.3", "2.999.1.3.7"),)
    assert (read.rejection, read.groups, read.problem) == (RejectionNote("113037", rejected), (), "")


def test_a_revocation() -> None:
    selection = nodule_selection()
    selection.ConceptNameCodeSequence = [coded("REVOKE_REJECTION", "99DCM4CHEE", "Restore")]
    rejection = document(selection).rejection
    assert rejection is not None
    assert (rejection.title, len(rejection.instances)) == ("REVOKE", 2)


@pytest.mark.parametrize("full", [True, False])
def test_a_manifest_may_be_empty(full: bool) -> None:
    selection = key_objects("2.999.1.200.1", [ct(1)], title=DicomCode("113030", "DCM", "Manifest"))
    if not full:
        del selection.ContentSequence
    read = document(selection)
    assert (read.manifest, len(read.groups), read.problem) == (True, int(full), "")


def test_a_title_without_a_meaning_or_a_system() -> None:
    selection = pointing()
    selection.ConceptNameCodeSequence = [coded("113000", "DCM", "")]
    assert document(selection).groups[0].code == Concept(Code(DCM, "113000"))
    selection.ConceptNameCodeSequence = [coded("X", "99CASE", "mine")]
    read = document(selection)
    assert (read.groups[0].code, read.warnings) == (Concept(None, "mine"), ("code_unmapped",))
    selection.ConceptNameCodeSequence = []
    assert document(selection).groups[0].code == Concept(Code(DCM, "KO", "Key Object Selection"))


def test_a_header_without_content_is_an_instance() -> None:
    selection = key_objects("2.999.1.200.1", [ct(1)], title=OF_INTEREST)
    del selection.ContentSequence
    del selection.ConceptNameCodeSequence
    event = event_of_object(encoded(selection), STAMP, ReadingPolicy(), dated=True)
    assert isinstance(event, InstanceArrived)
    assert event.instance.sop_class_uid.endswith(".88.59")
