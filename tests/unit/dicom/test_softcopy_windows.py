"""Which window of a presentation state is for which image and frame."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from processors.dicom.pixels import Window
from processors.dicom.softcopy_windows import softcopy_windows
from tests.builders.images import ct, encoded
from tests.builders.presentation_states import presentation_state
from tests.builders.segmentations import reference


def voi(center: object, width: object, *images: Dataset) -> Dataset:
    item = Dataset()
    item.WindowCenter, item.WindowWidth = center, width
    if images:
        item.ReferencedImageSequence = list(images)
    return item


def test_a_window_is_for_the_images_and_frames_that_it_names() -> None:
    state = presentation_state([ct(1), ct(2)])
    state.SoftcopyVOILUTSequence = [
        voi([40, 99], [400, 1], reference(ct(1), 3, 5)),
        voi(7, 8, reference(ct(2))),
        voi(1, 2),
    ]
    windows = softcopy_windows(encoded(state))
    assert [each.window for each in windows] == [Window(40, 400), Window(7, 8), Window(1, 2)]
    held = {
        (number, frame): [each.is_for(ct(number).SOPInstanceUID, frame) for each in windows]
        for number, frame in ((1, 3), (1, 4), (2, 4), (3, 1))
    }
    assert held == {
        (1, 3): [True, False, True],
        (1, 4): [False, False, True],
        (2, 4): [False, True, True],
        (3, 1): [False, False, True],
    }


@pytest.mark.parametrize(("center", "width"), [(None, 400), (40, None), (40, 0.5), ("40", "-3")])
def test_what_is_no_window_is_passed_over(center: object, width: object) -> None:
    state = presentation_state([ct(1)])
    state.SoftcopyVOILUTSequence = [voi(center, width)]
    assert softcopy_windows(encoded(state)) == []
