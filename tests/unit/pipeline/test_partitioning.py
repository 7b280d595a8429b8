"""Home is where Kafka's own partitioner puts the study."""

from __future__ import annotations

import pytest

from processors.pipeline.partitioning import home_of, murmur2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_it_is_the_hash_of_kafkas_java_client(text: str, expected: int) -> None:
    """The vectors of Kafka's own `UtilsTest.testMurmur2`, signed there."""
    assert murmur2(text.encode()) == expected % 2**32


def test_a_home_is_positive_and_below_the_count() -> None:
    assert home_of("21", 12) == (-973932308 & 0x7FFFFFFF) % 12
    assert {home_of(f"2.999.{n}", 3) for n in range(50)} == {0, 1, 2}
