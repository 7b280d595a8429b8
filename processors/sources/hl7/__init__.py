"""`source hl7`: what an information system tells of patients and orders over MLLP, published before it is
acknowledged.

Rules of this room: the hl7 library's door. `messages` reads, `server` listens and answers.
"""
