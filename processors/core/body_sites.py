"""Where in the body: Body Part Examined and anatomic codes as a FHIR body site.

Rules of this file: the shipped table and the two ways to a body site; a site's own table wins (`Policy`). An
unknown body part stays text: no code is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

from processors.core.events import Code, Concept, SeriesHeader
from processors.core.vocabulary import SNOMED_CT

# Body Part Examined (0018,0015) to SNOMED CT code and display (PS3.16 Annex L). CHEST has three answers in
# DICOM's own tables; Annex L's is taken.
BODY_PARTS: dict[str, tuple[str, str]] = {
    "ABDOMEN": ("818981001", "Abdomen"),
    "ABDOMENPELVIS": ("818982008", "Abdomen and Pelvis"),
    "ADRENAL": ("23451007", "Adrenal structure"),
    "ANKLE": ("70258002", "Ankle joint structure"),
    "AORTA": ("15825003", "Aortic structure"),
    "ARM": ("40983000", "Upper arm structure"),
    "AXILLA": ("91470000", "Axillary region structure"),
    "BACK": ("77568009", "Back structure, excluding neck"),
    "BLADDER": ("89837001", "Urinary bladder structure"),
    "BRAIN": ("12738006", "Brain structure"),
    "BREAST": ("76752008", "Breast structure"),
    "BRONCHUS": ("955009", "Bronchial structure"),
    "BUTTOCK": ("46862004", "Buttock structure"),
    "CALCANEUS": ("80144004", "Bone structure of calcaneum"),
    "CALF": ("53840002", "Structure of calf of leg"),
    "CAROTID": ("69105007", "Carotid artery structure"),
    "CEREBELLUM": ("113305005", "Cerebellar structure"),
    "CERVIX": ("71252005", "Cervix uteri structure"),
    "CHEEK": ("60819002", "Cheek structure"),
    "CHEST": ("43799004", "Thoracic cavity structure"),
    "CHESTABDOMEN": ("416550000", "Chest and/or abdomen structure"),
    "CHESTABDPELVIS": ("416775004", "Chest and/or abdomen and/or pelvis structure"),
    "CIRCLEOFWILLIS": ("11279006", "Structure of circle of Willis"),
    "CLAVICLE": ("51299004", "Bone structure of clavicle"),
    "COCCYX": ("64688005", "Bone structure of coccyx"),
    "COLON": ("71854001", "Colon structure"),
    "CORNEA": ("28726007", "Corneal structure"),
    "CORONARYARTERY": ("41801008", "Coronary artery structure"),
    "CSPINE": ("122494005", "Structure of cervical vertebral column"),
    "CTSPINE": ("1217257000", "Cervico-thoracic spine"),
    "DUODENUM": ("38848004", "Duodenal structure"),
    "EAR": ("117590005", "Ear structure"),
    "ELBOW": ("16953009", "Elbow joint structure"),
    "ESOPHAGUS": ("32849002", "Esophageal structure"),
    "EXTREMITY": ("66019005", "Limb structure"),
    "EYE": ("81745001", "Structure of eye proper"),
    "EYELID": ("80243003", "Eyelid structure"),
    "FACE": ("89545001", "Face structure"),
    "FEMUR": ("71341001", "Bone structure of femur"),
    "FIBULA": ("87342007", "Bone structure of fibula"),
    "FINGER": ("7569003", "Finger structure"),
    "FOOT": ("56459004", "Foot structure"),
    "FOREARM": ("14975008", "Forearm structure"),
    "GALLBLADDER": ("28231008", "Gallbladder structure"),
    "HAND": ("85562004", "Hand structure"),
    "HEAD": ("69536005", "Head structure"),
    "HEADNECK": ("774007", "Head and neck structure"),
    "HEART": ("80891009", "Heart structure"),
    "HIP": ("29836001", "Hip region structure"),
    "HUMERUS": ("85050009", "Bone structure of humerus"),
    "IAC": ("361078006", "Area of internal auditory canal"),
    "ILEUM": ("34516001", "Ileal structure"),
    "ILIUM": ("22356005", "Bone structure of ilium"),
    "JAW": ("661005", "Jaw region structure"),
    "JEJUNUM": ("21306003", "Jejunal structure"),
    "KIDNEY": ("64033007", "Kidney structure"),
    "KNEE": ("72696002", "Knee region structure"),
    "LARYNX": ("4596009", "Laryngeal structure"),
    "LEG": ("30021000", "Lower leg structure"),
    "LIVER": ("10200004", "Liver structure"),
    "LSPINE": ("122496007", "Lumbar spine structure"),
    "LSSPINE": ("1217253001", "Lumbo-sacral spine"),
    "LUNG": ("39607008", "Lung structure"),
    "MANDIBLE": ("91609006", "Bone structure of mandible"),
    "MAXILLA": ("70925003", "Bone structure of maxilla"),
    "MEDIASTINUM": ("72410000", "Mediastinal structure"),
    "MOUTH": ("123851003", "Mouth region structure"),
    "NECK": ("45048000", "Neck structure"),
    "NECKCHEST": ("417437006", "Neck and/or chest structure"),
    "NECKCHESTABDOMEN": ("416152001", "Neck and/or chest and/or abdomen structure"),
    "NECKCHESTABDPELV": ("416319003", "Neck and/or chest and/or abdomen and/or pelvis"),
    "NOSE": ("45206002", "Nasal structure"),
    "ORBIT": ("363654007", "Structure of orbit proper"),
    "OVARY": ("15497006", "Ovarian structure"),
    "PANCREAS": ("15776009", "Pancreatic structure"),
    "PAROTID": ("45289007", "Parotid gland structure"),
    "PATELLA": ("64234005", "Bone structure of patella"),
    "PELVIS": ("816092008", "Pelvis"),
    "PENIS": ("18911002", "Penile structure"),
    "PHARYNX": ("54066008", "Pharyngeal structure"),
    "PROSTATE": ("41216001", "Prostatic structure"),
    "RADIUS": ("62413002", "Radius"),
    "RECTUM": ("34402009", "Rectum structure"),
    "RIB": ("113197003", "Bone structure of rib"),
    "SCALP": ("41695006", "Scalp structure"),
    "SCAPULA": ("79601000", "Bone structure of scapula"),
    "SCLERA": ("18619003", "Scleral structure"),
    "SCROTUM": ("20233005", "Scrotal structure"),
    "SELLA": ("42575006", "Structure of pituitary fossa"),
    "SHOULDER": ("16982005", "Shoulder region structure"),
    "SIJOINT": ("39723000", "Sacroiliac joint structure"),
    "SKULL": ("89546000", "Bone structure of cranium"),
    "SPINE": ("421060004", "Structure of vertebral column"),
    "SPLEEN": ("78961009", "Splenic structure"),
    "SSPINE": ("54735007", "Bone structure of sacrum"),
    "STERNUM": ("56873002", "Bone structure of sternum"),
    "STOMACH": ("69695003", "Stomach structure"),
    "SUBMANDIBULAR": ("54019009", "Submandibular salivary apparatus"),
    "TESTIS": ("40689003", "Testis structure"),
    "THIGH": ("68367000", "Thigh structure"),
    "THUMB": ("76505004", "Thumb structure"),
    "THYMUS": ("9875009", "Thymus gland structure"),
    "THYROID": ("69748006", "Thyroid structure"),
    "TIBIA": ("12611008", "Bone structure of tibia"),
    "TLSPINE": ("1217256009", "Thoraco-lumbar spine"),
    "TMJOINT": ("53620006", "Temporomandibular joint structure"),
    "TOE": ("29707007", "Toe structure"),
    "TONGUE": ("21974007", "Tongue structure"),
    "TRACHEA": ("44567001", "Tracheal structure"),
    "TSPINE": ("122495006", "Thoracic spine structure"),
    "ULNA": ("23416004", "Bone structure of ulna"),
    "URETER": ("87953007", "Ureteric structure"),
    "URETHRA": ("13648007", "Urethral structure"),
    "UTERUS": ("35039007", "Uterine structure"),
    "VAGINA": ("76784001", "Vaginal structure"),
    "VULVA": ("45292006", "Vulval structure"),
    "WHOLEBODY": ("38266002", "Entire body as a whole"),
    "WRIST": ("74670003", "Wrist joint structure"),
    "ZYGOMA": ("13881006", "Zygomatic bone structure"),
}

_DISPLAYS = dict(BODY_PARTS.values())
"""SNOMED CT code to its own name, where DICOM code meanings are shorter: "Lung" for "Lung structure"."""

_SIDES = {"L": "Left", "R": "Right", "B": "Both"}
"""Laterality (0020,0060), (0020,0062); U, unpaired, says nothing."""


def body_site(header: SeriesHeader, body_parts: Mapping[str, tuple[str, str]]) -> Concept | None:
    """A series' body site: its anatomic region code, else Body Part Examined by `body_parts`, which wins, or
    the shipped table; laterality as text. None if the header says nothing.
    """
    side = _SIDES.get(header.laterality.upper(), "")
    if header.anatomic_region:
        return coded_site(header.anatomic_region, side)
    part = header.body_part_examined
    if not part:
        return None
    code, display = (
        body_parts.get(part) or body_parts.get(_name(part)) or BODY_PARTS.get(_name(part), ("", ""))
    )
    return Concept(Code(SNOMED_CT, code, display) if code else None, _words(part, side))


def coded_site(code: Code, laterality: str = "") -> Concept:
    """An anatomic code with SNOMED CT's own name as display; the sender's words and `laterality` as text."""
    display = _DISPLAYS.get(code.code, code.display) if code.system == SNOMED_CT else code.display
    text = _words(code.display, laterality)
    return Concept(code._replace(display=display), "" if text == display else text)


def _name(body_part_examined: str) -> str:
    """Defined terms are upper case without blanks; senders are not always."""
    return body_part_examined.upper().replace(" ", "")


def _words(site: str, laterality: str) -> str:
    return ", ".join(filter(None, (site, laterality)))
