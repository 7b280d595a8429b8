"""The words of DICOM and FHIR that more than one room needs: systems, modality names, report classes.

Rules of this file: constants of the standards and questions about them; no readers, only the standard
library.
"""

from __future__ import annotations

DCM = "http://dicom.nema.org/resources/ontology/DCM"
SNOMED_CT = "http://snomed.info/sct"
DICOM_UID_SYSTEM = "urn:dicom:uid"
"""FHIR Identifier.system of a DICOM UID; its value is `urn:oid:<uid>`."""

# Modalities (0008,0060): code to meaning, PS3.16 CID 33, which contains CID 29 (acquisition modalities).
MODALITIES = {
    "ANN": "Annotation",
    "AR": "Autorefraction",
    "ASMT": "Content Assessment Result",
    "AU": "Basic Voice Audio",
    "BDUS": "Ultrasound Bone Densitometry",
    "BI": "Biomagnetic Imaging",
    "BMD": "Bone Mineral Densitometry",
    "CFM": "Confocal Microscopy",
    "CR": "Computed Radiography",
    "CT": "Computed Tomography",
    "CTPROTOCOL": "CT Protocol",
    "DG": "Diaphanography",
    "DMS": "Dermoscopy",
    "DOC": "Document",
    "DX": "Digital Radiography",
    "ECG": "Electrocardiography",
    "EEG": "Electroencephalography",
    "EMG": "Electromyography",
    "EOG": "Electrooculography",
    "EPS": "Cardiac Electrophysiology",
    "ES": "Endoscopy",
    "FID": "Spatial Fiducials",
    "GM": "General Microscopy",
    "HC": "Hard Copy",
    "HD": "Hemodynamic Waveform",
    "IO": "Intra-oral Radiography",
    "IOL": "Intraocular Lens Calculation",
    "IVOCT": "Intravascular Optical Coherence Tomography",
    "IVUS": "Intravascular Ultrasound",
    "KER": "Keratometry",
    "KO": "Key Object Selection",
    "LEN": "Lensometry",
    "LS": "Laser Scan",
    "M3D": "Model for 3D Manufacturing",
    "MG": "Mammography",
    "MR": "Magnetic Resonance",
    "NM": "Nuclear Medicine",
    "OAM": "Ophthalmic Axial Measurements",
    "OCT": "Optical Coherence Tomography",
    "OP": "Ophthalmic Photography",
    "OPM": "Ophthalmic Mapping",
    "OPT": "Ophthalmic Tomography",
    "OPTBSV": "Ophthalmic Tomography B-scan Volume Analysis",
    "OPTENF": "Ophthalmic Tomography En Face",
    "OPV": "Ophthalmic Visual Field",
    "OSS": "Optical Surface Scanner",
    "OT": "Other",
    "PA": "Photoacoustic",
    "PLAN": "Plan",
    "POS": "Position Sensor",
    "PR": "Presentation State",
    "PT": "Positron emission tomography",
    "PX": "Panoramic X-Ray",
    "REG": "Registration",
    "RESP": "Respiratory Waveform",
    "RF": "Radiofluoroscopy",
    "RG": "Radiographic imaging",
    "RTDOSE": "RT Dose",
    "RTIMAGE": "RT Image",
    "RTPLAN": "RT Plan",
    "RTRECORD": "RT Treatment Record",
    "RTSTRUCT": "RT Structure Set",
    "RWV": "Real World Value Map",
    "SEG": "Segmentation",
    "SM": "Slide Microscopy",
    "SMR": "Stereometric Relationship",
    "SR": "Structured Report Document",
    "SRF": "Subjective Refraction",
    "STAIN": "Automated Slide Stainer",
    "TEXTUREMAP": "Texture Map",
    "TG": "Thermography",
    "US": "Ultrasound",
    "VA": "Visual Acuity",
    "XA": "X-Ray Angiography",
    "XC": "External-camera Photography",
}

MODALITY_TERMS = MODALITIES.keys() | {"RTINTENT", "RTRAD", "RTSEGANN", "XAPROTOCOL"}
"""Defined terms (PS3.3 C.7.3.1.1.1), of which CID 33 has not all."""


def modality_display(modality: str) -> str:
    """PS3.16's meaning of a modality code, or "" for one it does not have."""
    return MODALITIES.get(modality, "")


_STORAGE = "1.2.840.10008.5.1.4.1.1"

KEY_OBJECT_SELECTION = f"{_STORAGE}.88.59"

STRUCTURED_REPORTS = frozenset(
    f"{_STORAGE}.88.{leaf}"
    for leaf in (
        # trial classes, retired but still in archives: Text, Audio, Detail, Comprehensive
        *(1, 2, 3, 4),
        # Basic Text, Enhanced, Comprehensive, Comprehensive 3D, Extensible
        *(11, 22, 33, 34, 35),
        # Procedure Log; Mammography, Chest and Colon CAD
        *(40, 50, 65, 69),
        # radiation dose, implantation plan, acquisition context, echo, imaging agents, waveform annotation
        *(67, 68, 70, 71, 72, 73, 74, 75, 76, 77),
    )
) | {f"{_STORAGE}.78.6", f"{_STORAGE}.79.1"}  # Spectacle Prescription, Macular Grid Thickness and Volume
"""SOP classes with an SR Document content tree (PS3.4 B.5), retired ones included; not the KOS."""

PRESENTATION_STATES = frozenset(f"{_STORAGE}.11.{leaf}" for leaf in range(1, 13))
LABEL_MAP_SEGMENTATION = f"{_STORAGE}.66.7"
SEGMENTATIONS = frozenset(f"{_STORAGE}.66.{leaf}" for leaf in (4, 5)) | {LABEL_MAP_SEGMENTATION}
"""Segmentation, Surface Segmentation, Label Map Segmentation."""
PARAMETRIC_MAP = f"{_STORAGE}.30"
REAL_WORLD_VALUE_MAP = f"{_STORAGE}.67"
BULK_ANNOTATIONS = f"{_STORAGE}.91.1"
"""Microscopy Bulk Simple Annotations. Like the maps no report: its series is listed as any other is."""
UNTILED = frozenset(
    f"{_STORAGE}.{leaf}"
    for leaf in (
        *("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "12.1", "12.1.1", "12.2", "12.2.1"),  # X-ray
        *("13.1.1", "13.1.2", "13.1.3", "2", "2.1", "2.2", "4", "4.1", "4.3", "4.4"),  # tomosynthesis, CT, MR
        *("3.1", "6.1", "6.2", "20", "128", "128.1", "130", "481.1", "481.2"),  # US, NM, PET, RT
        *("7", "7.1", "7.2", "7.3", "7.4", "77.1.1", "77.1.2", "77.1.4", "77.1.5.1", "77.1.5.2"),  # SC, VL
    )
)
"""Image classes that have no Total Pixel Matrix (PS3.3 A): coordinates of one are those of the frame."""
STRUCTURE_SETS = frozenset({f"{_STORAGE}.481.3"})

REPORTS = {KEY_OBJECT_SELECTION} | STRUCTURED_REPORTS | PRESENTATION_STATES | SEGMENTATIONS | STRUCTURE_SETS
WITHOUT_FRAMES = {KEY_OBJECT_SELECTION} | STRUCTURED_REPORTS | SEGMENTATIONS | STRUCTURE_SETS
"""Classes whose subset is never frames. A segmentation has frames, but frames and segments cannot both be
said: segments are (MAPPING 1.2)."""


def is_report(sop_class_uid: str) -> bool:
    """True for the classes whose objects refer to other objects (CONTRACT 2, `dicom-reports`)."""
    return sop_class_uid in REPORTS
