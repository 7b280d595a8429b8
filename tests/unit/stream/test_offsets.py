"""What is taken for an offset."""

from __future__ import annotations

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaException, TopicPartition

from processors.stream.offsets import known, told


def test_a_place_that_is_none_is_no_answer() -> None:
    assert known({("t", 0): 0, ("t", 1): 7}) == {("t", 0): 0, ("t", 1): 7}
    with pytest.raises(KafkaException, match="no offset was told"):
        known({("t", 0): 7, ("t", 1): OFFSET_INVALID})


def test_a_group_that_committed_nothing_was_told_so() -> None:
    nothing = [TopicPartition("t", 0, OFFSET_INVALID)]
    assert told(nothing) is nothing
