"""What librdkafka's errors mean, and the bound on calls that have none."""

from __future__ import annotations

import threading

import pytest
from confluent_kafka import KafkaError

from processors.stream.transaction import Verdict, verdict
from processors.stream.watchdog import Stuck, Watchdog


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, Verdict.ABORT),
        ({"retriable": True}, Verdict.RETRY),
        ({"txn_requires_abort": True}, Verdict.ABORT),
        ({"retriable": True, "txn_requires_abort": True}, Verdict.ABORT),
        ({"fatal": True}, Verdict.REBUILD),
        ({"fatal": True, "retriable": True, "txn_requires_abort": True}, Verdict.REBUILD),
    ],
)
def test_an_error_means_one_of_three_things(flags: dict[str, bool], expected: Verdict) -> None:
    assert verdict(KafkaError(KafkaError._TIMED_OUT, "x", **flags)) is expected


@pytest.mark.parametrize("code", [KafkaError._FENCED, KafkaError._FATAL])
def test_a_fenced_producer_is_rebuilt_whatever_the_flags(code: int) -> None:
    assert verdict(KafkaError(code, "x", retriable=True)) is Verdict.REBUILD


def test_a_call_returns_or_raises_or_is_given_up() -> None:
    watchdog = Watchdog()
    called: list[int] = []
    watchdog.call(called.append, 1, within_s=30)
    with pytest.raises(ZeroDivisionError):
        watchdog.call(divmod, 1, 0, within_s=30)
    never = threading.Event()
    with pytest.raises(Stuck):
        watchdog.call(never.wait, within_s=0.01)
    watchdog.call(called.append, 2, within_s=30)
    assert called == [1, 2]
    never.set()
