"""Coding Scheme Designators of DICOM (PS3.16 table 8-1) to code systems of FHIR.

Rules of this file: the table. By designator the URI that HL7 publishes, else the scheme's UID.
Schemes without either, and the retired SNOMED ones, are not in it.
"""

from __future__ import annotations

from processors.core.vocabulary import DCM, SNOMED_CT

_UIDS = {
    "ACR": "2.16.840.1.113883.6.76",
    "ASTM-sigpurpose": "1.2.840.10065.1.12",
    "C5": "2.16.840.1.113883.6.82",
    "CD2": "2.16.840.1.113883.6.13",
    "CTV3": "2.16.840.1.113883.6.6",
    "DC": "1.2.840.10008.2.16.10",
    "DCMUID": "1.2.840.10008.2.6.1",
    "FMA": "2.16.840.1.113883.6.119",
    "HPC": "2.16.840.1.113883.6.14",
    "I10P": "2.16.840.1.113883.6.4",
    "I11": "1.2.840.10008.2.16.16",
    "I9": "2.16.840.1.113883.6.42",
    "IBSI": "1.2.840.10008.2.16.13",
    "ICDO3": "2.16.840.1.113883.6.43.1",
    "ISO639_1": "2.16.840.1.113883.6.99",
    "ISO639_2": "2.16.840.1.113883.6.100",
    "ITIS_TSN": "1.2.840.10008.2.16.7",
    "MA": "1.2.840.10008.2.16.5",
    "MAYOASRG": "1.2.840.10008.2.16.12",
    "MGI": "1.2.840.10008.2.16.8",
    "MSH": "2.16.840.1.113883.6.177",
    "NEU": "2.16.840.1.113883.6.210",
    "NICIP": "2.16.840.1.113883.2.1.3.2.4.21",
    "NYUMCCG": "1.2.840.10008.2.16.11",
    "PATHLEX": "1.3.6.1.4.1.19376.1.8.2.1",
    "PUBCHEM_CID": "1.2.840.10008.2.16.9",
    "RADELEMENT": "1.2.840.10008.2.16.15",
    "RO": "1.2.840.10008.2.16.14",
    "RRID": "1.2.840.10008.2.16.18",
    "UBERON": "1.2.840.10008.2.16.6",
    "UMLS": "2.16.840.1.113883.6.86",
    "UNS": "1.2.840.10008.2.16.17",
    "caDSR": "2.16.840.1.113883.3.26.2",
}

SYSTEMS = {
    **{designator: f"urn:oid:{uid}" for designator, uid in _UIDS.items()},
    "C4": "http://www.ama-assn.org/go/cpt",
    "DCM": DCM,
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "ISO3166_1": "urn:iso:std:iso:3166",
    "LN": "http://loinc.org",
    "MDC": "urn:iso:std:iso:11073:10101",
    "NCIt": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "RADLEX": "http://www.radlex.org",
    "RFC3066": "urn:ietf:bcp:47",
    "RFC5646": "urn:ietf:bcp:47",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "SCT": SNOMED_CT,
    "UCUM": "http://unitsofmeasure.org",
}
"""Designator to system."""
