"""Which partition a study is at home in: Kafka's murmur2 of the study UID, modulo the intake's partitions.

Rules of this file: the hash and nothing else. It is Java's `Utils.murmur2` with seed 0x9747b28c, masked to a
positive int as the default partitioner does; librdkafka's `murmur2_random` gives the same.
"""

from __future__ import annotations

from functools import lru_cache

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """32-bit murmur2 of `data`, as Kafka's Java client computes it."""
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = (int.from_bytes(data[i : i + 4], "little") * _M) & _MASK
        k = ((k ^ (k >> 24)) * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    if length > whole:
        h ^= int.from_bytes(data[whole:], "little")
        h = (h * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


# The hash costs about 10 µs in Python and a study's records come in runs; 65,536 UIDs take some 10 MB.
@lru_cache(maxsize=65_536)
def home_of(study_instance_uid: str, partitions: int) -> int:
    """The study's home partition, 0 ≤ home < partitions."""
    return (murmur2(study_instance_uid.encode()) & 0x7FFFFFFF) % partitions
