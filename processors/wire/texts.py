"""Texts as they come: what every reader of them takes off, and what none lets pass.

Rules of this file: PS3.5 6.2 for padding, FHIR's string for control characters; what follows is the reader's.
"""

from __future__ import annotations

import re

has_control = re.compile(r"[\x00-\x1f\x7f]").search
_PADDING = " \0\t\r\n"


def bare(text: str) -> str:
    """Without padding, so that all events name the same patient alike."""
    return text.strip(_PADDING)
