"""pydicom's data sets as the readers meet them.

Rules of this file: through bytes, as everything comes.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from processors.dicom.element_headers import EXPLICIT_LITTLE
from processors.dicom.parser import parse
from processors.dicom.reading import DEFAULT_POLICY, Reading
from processors.dicom.time_budget import TimeBudget


def reading_of(dataset: Dataset) -> Reading:
    """An object or a single item that may lack whatever an object must have."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, dataset)
    return Reading(parse(buffer.getvalue(), 0, EXPLICIT_LITTLE, DEFAULT_POLICY, TimeBudget()).data_set)
