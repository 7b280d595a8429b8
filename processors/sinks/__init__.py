"""Bridges from the output topics to neighbouring systems.

Rules of this room: each reads with a group and offsets of its own, commits only what the other side has
acknowledged, and may tell it the same thing twice; so what it does there must be the same done twice.
"""
