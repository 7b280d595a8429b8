"""Bridges from what a hospital has to the input topics, one file or folder a source, one extra each.

Rules of this room: a source finds out what happened and hands it to `forwarding`, or to the producer's
`deliver` where somebody waits for an answer; it moves its own mark only when the broker has the record. So a
crash anywhere repeats, and never loses; what is repeated is the same event, and counts once.
`events` makes the values, `ledger` keeps the marks. Nothing of a patient leaves through a log: a source tells
of counts, positions and codes.
"""
