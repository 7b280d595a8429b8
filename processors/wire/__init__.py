"""msgspec's door: JSON and MessagePack.

Rules of this room: the only place but `settings` that imports msgspec; what comes in is checked here,
what goes out is plain.
"""
