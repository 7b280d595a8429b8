"""The demonstration: an embedded broker, a synthetic hospital that feeds it, the real processor, a reader.

Rules of this room: it shows what is there and adds nothing to it. The processor is `stream.runner` over
`pipeline`, as `run` starts it; what is shown was read from the output topics by a read_committed reader.
In reading order: `dicom_json`, `documents`, `hospital` (what happens), `tally` (what the processor did),
`reading` (what a reader sees), `stage` (all of it together), `report` (what came of it), `play`.
"""

from processors.demo.play import Audience, play
from processors.demo.reading import DeadLetter, Published
from processors.demo.report import Report

__all__ = ["Audience", "DeadLetter", "Published", "Report", "play"]
