"""Waveform channels of a reference; what else references say is tested with the reports that make them."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from processors.dicom.sop_references import named_instances, united
from processors.dicom.values import items
from tests.builders.images import image
from tests.builders.readings import reading_of
from tests.builders.segmentations import reference

ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"


def waveform(*channels: int) -> Dataset:
    ecg = image("2.999.1.6", "2.999.1.6.1", series_number=6, number=1, sop_class=ECG, modality="ECG")
    to = reference(ecg)
    if channels:
        to.ReferencedWaveformChannels = list(channels)
    return to


@pytest.mark.parametrize(
    ("said", "read_as", "warnings"),
    [
        ([()], (), 0),
        ([(2, 3, 1, 1, 2, 3)], ("1\\1", "2\\3"), 0),
        ([(1, 2, 1, 0)], ("1\\0",), 0),
        ([(0, 1, 1, 4)], ("1\\4",), 1),
        ([(1, 4, 2)], ("1\\4",), 1),
        ([(1, 10), (1, 9)], ("1\\9", "1\\10"), 0),
        ([(1, 10), (1, 0)], ("1\\0",), 0),
        ([(1, 10), ()], (), 0),
    ],
)
def test_channels_are_pairs_and_channel_0_is_all_of_a_group(
    said: list[tuple[int, ...]], read_as: tuple[str, ...], warnings: int
) -> None:
    holder = Dataset()
    holder.ReferencedSOPSequence = [waveform(*channels) for channels in said]
    reading = reading_of(holder)
    references = items(reading.dataset, "ReferencedSOPSequence", reading)
    (named,) = united(named_instances(references, {}, reading).items)
    assert named.waveform_channels == read_as
    assert reading.warnings == ["reference_missing"] * warnings
