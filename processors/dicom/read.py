"""Safe reading: the bytes of one DICOM object to a data set, whatever is wrong with them.

Rules of this file: what the envelope says (PS3.10) and what is really there.
"""

from __future__ import annotations

import warnings as python_warnings
from io import BytesIO

from pydicom import dcmread

from processors.dicom.reading import Reading, ReadingPolicy


def read_object(data: bytes, policy: ReadingPolicy = ReadingPolicy()) -> Reading:
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")
        dataset = dcmread(BytesIO(data), stop_before_pixels=True, force=True)
    return Reading(dataset, [], str(dataset.file_meta.get("MediaStorageSOPClassUID", "")))
