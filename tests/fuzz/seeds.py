"""Sound inputs of every kind to begin with: objects of every reader, pydicom's test files, events, models.

Rules of this file: values as they would arrive, nothing damaged; small, since a mutant costs what its seed
does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from processors.core.vocabulary import PARAMETRIC_MAP
from processors.dicom.read import read_object
from processors.errors import Refused
from tests.builders.images import ct, encoded, enhanced_ct, ultrasound
from tests.builders.key_objects import PATIENT_SAFETY, frame_selection, key_objects, nodule_selection
from tests.builders.presentation_states import golden_state
from tests.builders.segmentations import (
    LABEL_MAP,
    bare_segmentation,
    derived,
    golden_segmentation,
    reference,
    referenced_series,
    segment,
)
from tests.builders.structure_sets import golden_structure_set
from tests.builders.structured_reports import multipoint_report, polygon_report, polyline_report
from tests.fuzz.dicom_tree import Item, tree_of
from tests.unit.dicom.cad_reports import mammography_report

_ROOT = Path(__file__).parents[2]
_FILES = Path(pydicom.__file__).parent / "data"
_FILE_BYTES = 40_000


@dataclass(frozen=True, slots=True)
class Objects:
    """A DICOM object as bytes, and as a tree if it can be read."""

    name: str
    data: bytes
    tree: Item | None


@dataclass(frozen=True, slots=True)
class Values:
    """A JSON value: an event, or a DICOM JSON model."""

    name: str
    value: dict[str, Any]


def generated() -> list[Objects]:
    """One or two of each reader."""
    numbers = (1, 2, 3)
    images = [ct(number) for number in numbers]
    label_map = bare_segmentation(
        [segment(number) for number in (0, *numbers)],
        [referenced_series(images)],
        [derived(reference(image, 1)) for image in images],
        LABEL_MAP,
    )
    made = {
        "image": ct(1),
        "multi-frame image": enhanced_ct(),
        "ultrasound": ultrasound(),
        "key objects": nodule_selection(),
        "key objects with frames": frame_selection(),
        "rejection note": key_objects("2.999.1.200.3", [ct(7, "2.999.1.3", 3)], title=PATIENT_SAFETY),
        "report with a polyline": polyline_report(),
        "report with points": multipoint_report(),
        "report with a polygon in space": polygon_report(),
        "CAD report": mammography_report(),
        "parametric map": _parametric_map(images),
        "presentation state": golden_state(),
        "segmentation": _without_dimensions(golden_segmentation()),
        "label map": label_map,
        "structure set": golden_structure_set(),
    }
    return [_objects(name, encoded(dataset)) for name, dataset in made.items()]


def _parametric_map(images: list[Dataset]) -> Dataset:
    frames = [derived(reference(image)) for image in images]
    return bare_segmentation([], [referenced_series(images)], frames, PARAMETRIC_MAP)


def _without_dimensions(document: Dataset) -> Dataset:
    """highdicom gives them a new UID each time, and a mutant must be the same each time."""
    del document.DimensionOrganizationSequence, document.DimensionIndexSequence
    return document


def of_pydicom() -> list[Objects]:
    """Its test files: every transfer syntax and character set, and some that are broken from the start."""
    paths = sorted(path for path in _FILES.rglob("*") if path.is_file() and path.suffix != ".py")
    return [_objects(path.name, path.read_bytes()) for path in paths if path.stat().st_size <= _FILE_BYTES]


def events() -> list[Values]:
    """The examples of the input topics."""
    paths = sorted((_ROOT / "schemas").glob("dicom-*/examples/*.json"))
    return [Values(path.stem, json.loads(path.read_bytes())) for path in paths]


def models() -> list[Values]:
    """DICOM JSON of some of the objects."""
    made: list[Dataset] = [
        ct(1),
        nodule_selection(),
        polyline_report(),
        golden_state(),
        golden_structure_set(),
    ]
    return [Values(str(dataset.SOPClassUID.name), json.loads(dataset.to_json())) for dataset in made]


def _objects(name: str, data: bytes) -> Objects:
    try:
        return Objects(name, data, tree_of(read_object(data).dataset))
    except Refused:
        return Objects(name, data, None)
