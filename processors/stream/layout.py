"""The mark on a home's state: by how many partitions its studies were placed, and whether it is to be used.

Rules of this file: the value of one state entry (`LAYOUT_KEY`), made and read. A member starts only where it
finds the mark of its own intake, so one that says something else keeps every member away, of any version.
"""

from __future__ import annotations

import json


def placed_by(partitions: int) -> bytes:
    """The state is whole, its studies placed by so many partitions of the intake."""
    return b'{"intake_partitions": %d}' % partitions


def moving_to(intake: str, changelog: str) -> bytes:
    """Of old state: it is being copied to these topics."""
    return json.dumps({"moving_to": [intake, changelog]}).encode()


def moved_to(intake: str, changelog: str) -> bytes:
    """Of old state: it lives there now."""
    return json.dumps({"moved_to": [intake, changelog]}).encode()


def moving_from(intake: str, changelog: str) -> bytes:
    """Of new state: not all of it is here yet."""
    return json.dumps({"moving_from": [intake, changelog]}).encode()


def is_moving(found: bytes | None) -> bool:
    return found is not None and "moving_to" in json.loads(found)


def refusal(found: bytes, intake: str, partitions: int) -> str:
    """Why a member of an intake of so many partitions must not use state with this mark."""
    said = json.loads(found)
    if "moved_to" in said:
        new_intake, new_changelog = said["moved_to"]
        return (
            f"the state of {intake} was moved: set topics.intake to {new_intake} "
            f"and topics.changelog to {new_changelog}"
        )
    if "moving_to" in said or "moving_from" in said:
        return (
            f"the state of {intake} is being moved to another number of partitions: let "
            "`imaging-reference topics grow` end, or run it again; with --cancel all stays as it was"
        )
    return (
        f"{intake} has {partitions} partitions, but the state was made for {found.decode()}: give the topic "
        "its old count, or start with an empty changelog; `imaging-reference topics grow` moves state"
    )
