"""Held to material from outside the project: published examples, reported faults, files of other makers.

Rules of this package: the only tests that read `../shared`; without that folder they are deselected.
"""

from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared"
