"""`source dimse`: what modalities and archives send over DIMSE, published before it is answered.

Rules of this room: pynetdicom's door. `server` listens and answers, `completion` reads MPPS and IAN,
`commitment` answers Storage Commitment. An answer of success means that the broker has the event.
"""
