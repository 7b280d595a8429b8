"""Choices of a site."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest

from processors.core.identity import NAMESPACE
from processors.core.policy import Completeness, CompletenessOverride, Identity, Policy

DEFAULT, ONE, TWO, THREE = (Completeness(n, n) for n in (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("source", "modality", "expected"),
    [
        ("PACS_A", "CT", TWO),
        ("PACS_A", "MR", ONE),
        ("PACS_B", "CT", DEFAULT),
        ("PACS_B", "US", THREE),
        ("PACS_A", "US", THREE),
        ("", "", DEFAULT),
    ],
)
def test_the_last_override_that_matches_holds(source: str, modality: str, expected: Completeness) -> None:
    policy = Policy(
        completeness=DEFAULT,
        overrides=(
            CompletenessOverride("PACS_A", "", ONE),
            CompletenessOverride("PACS_A", "CT", TWO),
            CompletenessOverride("", "US", THREE),
        ),
    )
    assert policy.completeness_for(source, modality) is expected


def test_seconds_become_milliseconds() -> None:
    assert Completeness.of_seconds(0.0015, 300) == Completeness(2, 300_000)


def test_zone_and_namespace_of_a_site() -> None:
    assert Identity().display_zone is UTC
    zone = timezone(timedelta(hours=1))
    assert Identity(site_zone=zone).display_zone is zone
    assert Policy().namespace == NAMESPACE
    other = "12345678-1234-5678-1234-567812345678"
    assert str(Policy(identity=Identity(namespace=other)).namespace) == other
