"""Where a path lies since UIDs changed: the narrowest change, the latest, then the next; circles undone."""

from __future__ import annotations

from itertools import permutations

import pytest

from processors.core.corrections import Scope, UidChanged
from processors.core.events import DocumentPath
from processors.core.uid_changes import Routes
from tests.builders.events import stamp

Named = tuple[str, str, int]
"""From, to, seconds."""


def scope(text: str) -> Scope:
    return Scope(*text.split("|"))


def routes(*changes: Named) -> Routes:
    made = [UidChanged(scope(prior), scope(present), stamp(at_s)) for prior, present, at_s in changes]
    return Routes(
        lambda study: [each for each in made if each.prior.study_instance_uid == study],
        lambda study: {
            each.prior.study_instance_uid for each in made if each.present.study_instance_uid == study
        },
    )


def path(text: str) -> DocumentPath:
    return DocumentPath(*text.split("|"))


@pytest.mark.parametrize(
    ("changes", "start", "end"),
    [
        ([], "1|2|3", "1|2|3"),
        ([("1", "9", 1)], "1|2|3", "9|2|3"),
        ([("1|2", "9|8", 1)], "1|2|3", "9|8|3"),
        ([("1|2|3", "9|8|7", 1)], "1|2|3", "9|8|7"),
        ([("1|2|3", "9|8|7", 1)], "1|2|4", "1|2|4"),
        ([("1|2", "1|8", 1), ("1", "9", 2)], "1|2|3", "9|8|3"),
        ([("1", "9", 2), ("1|2", "7|2", 1)], "1|2|3", "7|2|3"),
        ([("1", "9", 1), ("1", "8", 2)], "1|2|3", "8|2|3"),
        ([("1", "9", 2), ("9", "8", 1), ("8|2", "7|2", 3)], "1|2|3", "7|2|3"),
        ([("1", "9", 1), ("9", "1", 2)], "1|2|3", "1|2|3"),
        ([("1", "9", 1), ("9", "1", 2)], "9|2|3", "1|2|3"),
        ([("1", "9", 3), ("9", "8", 1), ("8", "1", 2)], "1|2|3", "9|2|3"),
        ([("1", "1", 1)], "1|2|3", "1|2|3"),
        ([("1|2", "1|8", 1), ("1|8", "1|2", 2), ("1", "9", 3)], "1|8|3", "9|2|3"),
    ],
    ids=[
        "unchanged",
        "study",
        "series",
        "instance",
        "another instance",
        "series, then its study",
        "the narrower one",
        "the latest",
        "onward, whichever was first",
        "changed back",
        "what came under the new name goes back, too",
        "the earliest of a circle is ignored",
        "to itself",
        "a circle with a way out",
    ],
)
def test_the_end_is_the_same_in_whatever_order_the_changes_are_known(
    changes: list[Named], start: str, end: str
) -> None:
    for order in permutations(changes):
        assert routes(*order).end(path(start)) == path(end)


def test_reach_has_every_name_that_readers_may_know() -> None:
    ways = routes(("1", "9", 1), ("1", "8", 2), ("9|2", "7|2", 3), ("9", "1", 4))
    assert ways.reach(path("1|2|3")) == {study: [path(f"{study}|2|3")] for study in "1987"}
    assert ways.series_reached("1", "2") == {study: {"2"} for study in "1987"}
    assert ways.studies_reached(["8"]) == {"8"}
    assert ways.places_named("9", "3") == set()
    assert routes(("1|2|3", "1|2|4", 1)).places_named("1", "3") == {"2"}


@pytest.mark.parametrize(
    ("start", "names"),
    [
        ("1|2|3", ["1|2|3", "9|2|3", "9|2|4", "8|7|4"]),
        ("8|7|4", ["1|2|3", "9|2|3", "9|2|4", "8|7|4", "1|2|4"]),
        ("1|5|4", ["1|5|4", "9|5|4"]),
        ("1||3", ["1||3", "9||3", "9||4"]),
        ("8||4", ["8||4", "9||4", "9||3", "1||3"]),
    ],
)
def test_names_are_all_that_one_instance_has_or_had(start: str, names: list[str]) -> None:
    ways = routes(("1", "9", 1), ("9|2|3", "9|2|4", 2), ("9|2", "8|7", 3))
    assert ways.names(path(start)) >= {path(name) for name in names}
    assert ways.kindred("8") == {"1", "8", "9"}


def test_touched_are_the_series_of_which_something_left() -> None:
    ways = routes(("1|2|3", "9|8|7", 1))
    assert [ways.touches("1", uid) for uid in ("2", "4")] == [True, False]
    assert not ways.touches("9", "8")
