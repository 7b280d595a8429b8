"""fhir.resources' door: ImagingReference → FHIR: R5 and R6 ImagingSelection, R4 Basic.

Rules of this room: a release a file; shape only, values were checked by `core.checks`.
"""
