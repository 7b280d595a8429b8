"""fastavro's door: framing, input events, facts, and the envelopes of the two internal topics.

Rules of this room: encodings of what `schemas/` describes; no meaning.
"""
