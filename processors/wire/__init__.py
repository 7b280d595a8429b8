"""msgspec's door: JSON and MessagePack.

Rules of this room: the only place that imports msgspec; what comes in is checked here, what goes out is plain.
"""
