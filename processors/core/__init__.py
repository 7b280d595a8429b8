"""What happened, what is known, what follows: pure, standard library only.

Rules of this room: no I/O, no clock, no log, no randomness. In reading order: `events` (facts as values),
`series` and `study` (state and its order-free merge), `folding` (an event into a study), `standing` (what
speaks against an instance or a document), `listing`, `references` and `document_references` (state →
ImagingReferences), `completeness` (when), `checks` (whether one is fit to be published).
"""
