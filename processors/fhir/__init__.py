"""fhir.resources' door: ImagingReference → FHIR ImagingSelection.

Rules of this room: a release a file; shape only, values were checked by `core.checks`.
"""
