"""What `run` refuses before it starts."""

from __future__ import annotations

import pytest

from processors.errors import SettingsError
from processors.settings import Settings
from processors.settings.sections import Documents
from processors.stream.runner import check_poll_interval


def settings(interval_ms: int | str, fetch_timeout_s: float = 10.0) -> Settings:
    documents = Documents(fetch_timeout_s=fetch_timeout_s)
    return Settings(kafka={"max.poll.interval.ms": interval_ms}, documents=documents)


@pytest.mark.parametrize("interval_ms", [6_000, 22_222])
def test_a_poll_interval_that_one_document_may_outlast(interval_ms: int) -> None:
    with pytest.raises(SettingsError, match=r"^kafka\.max\.poll\.interval\.ms: in"):
        check_poll_interval(settings(interval_ms))


def test_a_document_that_may_take_longer_than_the_poll_interval() -> None:
    with pytest.raises(SettingsError, match="allow it 70 s, a turn takes 7 s"):
        check_poll_interval(settings(70_000, 60.0))


def test_a_poll_interval_that_is_no_number() -> None:
    with pytest.raises(SettingsError, match="expected a number of milliseconds"):
        check_poll_interval(settings("five minutes"))


def test_one_that_leaves_it_time() -> None:
    check_poll_interval(settings(22_223))
    check_poll_interval(Settings())
