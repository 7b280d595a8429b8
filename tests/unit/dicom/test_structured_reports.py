"""What becomes of content items that stand alone, are wrong, or mean something for each other."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from processors.core.events import Code, Concept, Focus, FocusKind, Region, SubsetKind
from processors.core.vocabulary import DCM, SNOMED_CT
from processors.dicom.reading import ReadingPolicy
from processors.errors import DeadLetterCode, Refused, WarningCode
from tests.builders.images import ct, encoded, enhanced_ct, image
from tests.builders.structured_reports import evidence_of
from tests.unit.dicom.report_items import (
    GROUP,
    LENGTH,
    LIBRARY,
    POLICY,
    by_key,
    by_reference,
    code_item,
    image_item,
    item,
    read,
    report_of,
    scoord,
    scoord3d,
)

POINT = (1.0, 2.0)


def length(*children: Dataset) -> Dataset:
    return item("NUM", LENGTH, children)


def group(*children: Dataset) -> Dataset:
    return item("CONTAINER", GROUP, children)


def source(path: str) -> Focus:
    return Focus(FocusKind.GROUP, f"sr-item|{path}")


def test_nearest_observation_above_is_the_source_and_no_other() -> None:
    finding = code_item(("111059", "DCM", "Single Image Finding"), ("4147007", "SCT", "Mass"))
    finding.ContentSequence = [scoord("POINT", POINT, [image_item(ct(1))], ("111010", "DCM", "Center"))]
    document = read(
        report_of(
            group(length(scoord("POINT", POINT, [image_item(ct(1))])), image_item(ct(2))),
            finding,
            item("CONTAINER", ("121070", "DCM", "Findings"), [image_item(ct(3))]),
        )
    )
    focus = {key: group.focus for key, group in by_key(document).items() if not key.startswith("sr-item")}
    assert focus == {
        "sr-region|1.1.1.1": (source("1.1.1"),),
        "sr-ref|1.1.2": (source("1.1"),),
        "sr-region|1.2.1": (source("1.2"),),
        "sr-ref|1.3.1": (),
    }
    assert {key for key in by_key(document) if key.startswith("sr-item")} == {
        "sr-item|1.1.1",
        "sr-item|1.1",
        "sr-item|1.2",
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (None, Concept(Code(DCM, "126000", "Imaging Measurement Report"))),
        (("121112", "DCM", "Source of Measurement"), Concept(Code(DCM, "121112", "Source of Measurement"))),
        (("1", "99LOCAL", "Picture"), Concept(None, "Picture")),
    ],
)
def test_code_of_an_image_is_its_name_else_the_title(
    name: tuple[str, str, str] | None, code: Concept
) -> None:
    document = read(report_of(image_item(ct(1), name)))
    assert [g.code for g in document.groups] == [code]
    assert (WarningCode.CODE_UNMAPPED in document.warnings) is (code.coding is None)


def test_names_that_are_not_published_warn_of_nothing() -> None:
    private = item("TEXT", ("1", "99LOCAL", "Remark"))
    assert read(report_of(private, image_item(ct(1)))).warnings == ()


def test_image_library_is_an_inventory() -> None:
    library_group = item("CONTAINER", ("126200", "DCM", "Image Library Group"), [image_item(ct(2))])
    library = item("CONTAINER", LIBRARY, [image_item(ct(1)), library_group])
    document = read(report_of(library))
    assert (document.groups, document.problem) == ((), "")


def test_finding_points_into_the_library_by_reference() -> None:
    """Only what a finding points at is selected, at the finding's own path (MAPPING T26)."""
    library = item("CONTAINER", LIBRARY, [image_item(ct(1)), image_item(ct(2))])
    finding = code_item(
        ("111059", "DCM", "Single Image Finding"),
        ("4147007", "SCT", "Mass"),
        [by_reference(1, 1, 1), scoord("POINT", POINT, [by_reference(1, 1, 2)], ("111010", "DCM", "Center"))],
    )
    groups = by_key(read(report_of(library, finding)))
    assert {key: [i.sop_instance_uid for i in g.items] for key, g in groups.items() if "item" not in key} == {
        "sr-ref|1.2.1": ["2.999.1.2.1"],
        "sr-region|1.2.2": ["2.999.1.2.2"],
    }
    assert groups["sr-region|1.2.2"].code == Concept(Code(DCM, "111010", "Center"))


def test_measurement_on_a_region_by_reference_shares_the_region() -> None:
    region = scoord("POINT", POINT, [image_item(ct(1))])
    later = read(report_of(group(length(by_reference(1, 1, 2)), region)))
    assert by_key(later)["sr-region|1.1.2"].focus == (source("1.1"), source("1.1.1"))
    assert "sr-item|1.1.1" in by_key(later)


def test_a_temporal_coordinate_leaves_its_waveform_with_the_channels() -> None:
    """By value and by reference; the time itself is dropped, since FHIR has none (PS3.3 C.18.7)."""
    waveform = image_item(ct(1))
    waveform.ValueType = "WAVEFORM"
    waveform.ReferencedSOPSequence[0].ReferencedWaveformChannels = [5, 3, 2, 0, 5, 3]
    by_value, by_path = (item("TCOORD", None, [child]) for child in (waveform, by_reference(1, 1, 1, 1)))
    document = read(report_of(length(by_value), length(by_path)))
    assert document.warnings == (WarningCode.REGION_DROPPED,) * 2
    found = {g.suffix: (g.focus, g.items[0].waveform_channels) for g in document.groups if g.kind == "sr-ref"}
    channels = ("2\\0", "5\\3")
    assert found == {
        "1.1.1.1": ((source("1.1"),), channels),
        "1.2.1.1": ((source("1.2"),), channels),
    }


def test_path_of_a_reference_is_binary_also_in_implicit_vr() -> None:
    document = report_of(item("CONTAINER", LIBRARY, [image_item(ct(1))]), group(by_reference(1, 1, 1)))
    assert "sr-ref|1.2.1" in by_key(read(encoded(document, ImplicitVRLittleEndian)))


@pytest.mark.parametrize("path", [(1, 9), (), (2,), (1, 2, 1)])
def test_path_that_leads_nowhere(path: tuple[int, ...]) -> None:
    """The last one leads to the by-reference item itself."""
    document = read(report_of(image_item(ct(1)), group(by_reference(*path))))
    assert document.warnings == (WarningCode.BY_REFERENCE_UNRESOLVED,)
    assert list(by_key(document)) == ["sr-ref|1.1"]


def test_dropped_region_leaves_the_image() -> None:
    document = read(report_of(length(scoord("CIRCLE", (1.0, 2.0), [image_item(ct(1), frames=[3])]))))
    assert document.warnings == (WarningCode.REGION_DROPPED,)
    (image_group,) = (g for g in document.groups if g.kind == "sr-ref")
    assert image_group.suffix == "1.1.1.1"
    assert (image_group.items[0].subset, image_group.items[0].regions_2d) == (("3",), ())
    assert image_group.focus == (source("1.1"),)


def test_region_of_a_whole_slide_goes_beside_the_image() -> None:
    """E4: counted, and no region of the image or frame; whatever other image is selected with it."""
    slide = image_item(ct(1))
    slide.ReferencedSOPSequence[0].ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    drawn = scoord("POINT", (40000.5, 7), [slide, image_item(ct(2))])
    drawn.PixelOriginInterpretation = "VOLUME"
    document = read(report_of(length(drawn)))
    assert document.warnings == (WarningCode.REGION_DROPPED,)
    groups = by_key(document)
    for found in (*groups["sr-ref|1.1.1.1"].items, *groups["sr-ref|1.1.1.2"].items):
        assert (found.regions_2d, found.matrix_regions) == ((), (Region("point", (40000.5, 7)),))


def test_an_image_without_tiles_has_no_matrix_but_itself() -> None:
    drawn = scoord("POINT", (40.5, 7), [image_item(ct(1))])
    drawn.PixelOriginInterpretation = "VOLUME"
    document = read(report_of(length(drawn)))
    assert document.warnings == ()
    (image,) = by_key(document)["sr-region|1.1.1"].items
    assert (image.regions_2d, image.matrix_regions) == ((Region("point", (40.5, 7)),), ())


@pytest.mark.parametrize("children", [[], [item("TEXT", ("121106", "DCM", "Comment"))]])
def test_region_without_an_image(children: list[Dataset]) -> None:
    document = read(report_of(scoord("POINT", POINT, children)))
    assert document.warnings == (WarningCode.REFERENCE_MISSING,)
    assert document.problem == DeadLetterCode.NO_USABLE_REFERENCE


def test_space_region_without_frame_of_reference() -> None:
    document = read(report_of(group(scoord3d("POINT", (1, 2, 3), ""), image_item(ct(1)))))
    assert document.warnings == (WarningCode.UNRESOLVED_FRAME_OF_REFERENCE, WarningCode.REGION_DROPPED)
    assert "sr-ref|1.1.2" in by_key(document)


def test_space_region_says_its_own_observation_uid_else_that_of_its_source() -> None:
    region = scoord3d("POINT", (1, 2, 3))
    observation = group(region)
    observation.ObservationUID = "2.999.1.88.1"
    assert by_key(read(report_of(observation)))["sr-region|1.1.1"].items[0].subset == ("2.999.1.88.1",)
    region.ObservationUID = "2.999.1.88.2"
    assert by_key(read(report_of(observation)))["sr-region|1.1.1"].items[0].subset == ("2.999.1.88.2",)


def test_bad_references_beside_a_good_one() -> None:
    document = read(report_of(length(image_item()), length(image_item(ct(1)))))
    assert document.warnings == (WarningCode.REFERENCE_MISSING,)
    assert list(by_key(document)) == ["sr-item|1.2", "sr-ref|1.2.1"]


@pytest.mark.parametrize(
    ("content", "problem", "tag"),
    [
        ([image_item()], DeadLetterCode.NO_USABLE_REFERENCE, "(0008,1199)"),
        ([by_reference(1, 7)], DeadLetterCode.NO_USABLE_REFERENCE, "(0008,1199)"),
        ([group(scoord3d("POINT", (1, 2)))], DeadLetterCode.NO_USABLE_REFERENCE, "(0008,1199)"),
        ([image_item(ct(1), frames=[0])], DeadLetterCode.FRAME_OUT_OF_RANGE, "(0008,1160)"),
        ([item("TEXT", ("121071", "DCM", "Finding"))], "", ""),
        ([length()], "", ""),
    ],
)
def test_report_with_nothing_usable_is_a_problem_only_if_it_tried(
    content: list[Dataset], problem: str, tag: str
) -> None:
    document = read(report_of(*content))
    assert (document.problem, document.problem_tag, document.groups) == (problem, tag, ())


def test_frames_are_sorted_and_unique_without_those_that_are_none() -> None:
    document = read(report_of(image_item(enhanced_ct(), frames=[12, 2, 12, 0]), images=[enhanced_ct()]))
    assert document.warnings == (WarningCode.REFERENCE_MISSING,)
    (reported,) = document.groups[0].items
    assert (reported.subset_kind, reported.subset) == (SubsetKind.FRAMES, ("2", "12"))


def test_reference_without_evidence_has_no_place() -> None:
    stranger = image("2.999.1.6", "2.999.1.6.1", series_number=6, number=1)
    (reported,) = read(report_of(image_item(stranger))).groups[0].items
    assert reported[:3] == ("", "", "2.999.1.6.1")


def test_segment_with_its_source_images() -> None:
    segmentation = image(
        "2.999.1.30", "2.999.1.30.1", series_number=30, number=1, sop_class="1.2.840.10008.5.1.4.1.1.66.4"
    )
    segment = image_item(segmentation, ("121191", "DCM", "Referenced Segment"), frames=[4])
    segment.ReferencedSOPSequence[0].ReferencedSegmentNumber = [2, 1]
    drawn_on = item("UIDREF", ("121232", "DCM", "Source series for segmentation"))
    drawn_on.UID = "2.999.1.2"
    document = report_of(
        group(segment, image_item(ct(2), ("121233", "DCM", "Source image for segmentation")), drawn_on)
    )
    reported = by_key(read(document))["sr-ref|1.1.1"]
    (segments,) = reported.items
    assert (segments.subset_kind, segments.subset) == (SubsetKind.SEGMENTS, ("1", "2"))
    assert segments.segmentation_frames == ("4",), "frames and segments cannot both be the subset"
    assert reported.focus == (
        source("1.1"),
        Focus(FocusKind.GROUP, "sr-ref|1.1.2"),
        Focus(FocusKind.SERIES, "2.999.1|2.999.1.2"),
    )


@pytest.mark.parametrize("place", ["below", "beside"])
def test_region_in_space_names_an_roi(place: str) -> None:
    structures = image(
        "2.999.1.31", "2.999.1.31.1", series_number=31, number=1, sop_class="1.2.840.10008.5.1.4.1.1.481.3"
    )
    region = image_item(structures, ("130488", "DCM", "Region in Space"))
    region.ValueType = "COMPOSITE"
    number = item("TEXT", ("130489", "DCM", "Referenced Region of Interest Identifier"))
    number.TextValue = "7"
    if place == "below":
        region.ContentSequence = [number]
    document = report_of(group(region, *([number] if place == "beside" else [])))
    (reported,) = by_key(read(document))["sr-ref|1.1.1"].items
    assert (reported.subset_kind, reported.subset) == (SubsetKind.ROIS, ("7",))


@pytest.mark.parametrize(
    ("name", "side", "text"),
    [
        (("363698007", "SCT", "Finding Site"), ("7771000", "SCT", "Left"), "Liver, Left"),
        (("G-C0E3", "SRT", "Finding Site"), ("G-A101", "SRT", "Left"), "Liver, Left"),
        (("G-C0E3", "SRT", "Finding Site"), None, "Liver"),
    ],
)
def test_finding_site_of_a_measurement_or_of_its_group(
    name: tuple[str, str, str], side: tuple[str, str, str] | None, text: str
) -> None:
    laterality = [code_item(("272741003", "SCT", "Laterality"), side)] if side else []
    site = code_item(name, ("10200004", "SCT", "Liver"), laterality)
    in_group = read(report_of(group(site, length(scoord("POINT", POINT, [image_item(ct(1))])))))
    in_measurement = read(report_of(group(length(site, scoord("POINT", POINT, [image_item(ct(1))])))))
    sites = {g.body_site for g in in_group.groups + in_measurement.groups}
    assert sites == {Concept(Code(SNOMED_CT, "10200004", "Liver structure"), text)}


def test_predecessors_and_copies() -> None:
    document = report_of(image_item(ct(1)))
    for keyword, sop in (("PredecessorDocumentsSequence", "2"), ("IdenticalDocumentsSequence", "3")):
        setattr(document, keyword, evidence_of([ct(int(sop), "2.999.1.100", 100)]))
    read_back = read(document)
    assert [p.sop_instance_uid for p in read_back.predecessors] == ["2.999.1.100.2"]
    assert read_back.identical == ("2.999.1.100.3",)


@pytest.mark.parametrize(
    ("flags", "made"),
    [
        ({}, 1),
        ({"CompletionFlag": "COMPLETE", "PreliminaryFlag": "FINAL"}, 1),
        ({"CompletionFlag": "PARTIAL"}, 0),
        ({"CompletionFlag": "COMPLETE", "PreliminaryFlag": "PRELIMINARY"}, 0),
    ],
)
def test_an_unfinished_report_refers_and_replaces_unless_the_site_withholds_it(
    flags: dict[str, str], made: int
) -> None:
    document = report_of(image_item(ct(1)))
    document.PredecessorDocumentsSequence = evidence_of([ct(2, "2.999.1.100", 100)])
    for keyword, value in flags.items():
        setattr(document, keyword, value)
    for policy, expected in ((POLICY, 1), (ReadingPolicy(withhold_unfinished=True), made)):
        read_back = read(document, policy)
        assert (len(read_back.groups), len(read_back.predecessors)) == (expected, expected)


def test_thousands_of_items_are_read_and_deep_ones_refused() -> None:
    wide = report_of(*(length(scoord("POINT", POINT, [image_item(ct(1))])) for _ in range(500)))
    assert len(read(wide).groups) == 1000
    deep = image_item(ct(1))
    for _ in range(12):
        deep = item("CONTAINER", None, [deep])
    assert len(read(report_of(deep)).groups) == 1
    with pytest.raises(Refused) as refusal:
        read(report_of(deep), ReadingPolicy(max_depth=8))
    assert refusal.value.code == DeadLetterCode.NESTING_TOO_DEEP
