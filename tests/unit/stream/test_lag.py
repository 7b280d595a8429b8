"""The lag, from what librdkafka says of itself."""

import json

from processors.stream.lag import lag_of


def test_what_is_stable_and_not_read_is_lag() -> None:
    said = {"a": {"partitions": {"0": {"ls_offset": 120}, "1": {"ls_offset": -1001}, "-1": {}}}}
    read = {("a", 0): 100, ("a", 1): 5, ("b", 0): 7}
    assert lag_of(json.dumps({"topics": said}), read) == {("a", 0): 20}
    assert lag_of(json.dumps({"topics": said}), {("a", 0): 121}) == {("a", 0): 0}
    assert lag_of("{}", read) == {}
