"""What is special about reports of computer-aided detection: mammography, chest, colon (PS3.16 TID 4000,
4100, 4120).

Rules of this file: concept names of CAD reports, and what may be shown of them. A finding's regions, and the
images that it names in the image library by reference, are read as those of any report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.core.events import Concept
from processors.core.vocabulary import DCM
from processors.dicom.codes import first_code, is_code

if TYPE_CHECKING:
    from processors.dicom.content_tree import ContentItem
    from processors.dicom.reading import Reading

NOT_FOR_PRESENTATION = "111152"
"""Input for later CAD work steps: ought not to be rendered, nor what is below it (PS3.4 O.2.2.1)."""
PRESENTATION_OPTIONAL = "111151"
"""May be rendered, by the reader's choice or the finding's CAD operating point."""

_RENDERING_INTENT = "111056"
_ACCOUNTS = ("111022", "111004")
"""Detection Performed, Analysis Performed: the images an algorithm worked on, whatever it found (PS3.16 TID
4017, 4018). Read as findings, they would select every image of the library."""


def rendering_intent(item: ContentItem, reading: Reading) -> Concept | None:
    """Rendering Intent (111056) of an impression, composite feature or single image finding. Read without
    warnings: few are published.
    """
    for child in item.children:
        if is_code(child.name, DCM, _RENDERING_INTENT):
            return first_code(child.dataset, "ConceptCodeSequence", reading.quiet())
    return None


def is_account(item: ContentItem) -> bool:
    return any(is_code(item.name, DCM, account) for account in _ACCOUNTS)
