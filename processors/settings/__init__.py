"""What a site decides: TOML file, environment, defaults.

Rules of this room: `sections` and `neighbours` say what may be set, `describing` prints that as a page,
`reading` brings in what a site says, `printing` shows what holds. It knows nothing of Kafka, DICOM or FHIR
beyond names, and is the second and last room that imports msgspec.
"""

from processors.settings.describing import described
from processors.settings.printing import as_toml, printable
from processors.settings.reading import load
from processors.settings.sections import Settings

__all__ = ["Settings", "as_toml", "described", "load", "printable"]
