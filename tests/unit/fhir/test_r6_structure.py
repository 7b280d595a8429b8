"""What R6's structure is held to: what R5 says and R6 does not is refused, and the other way round."""

from __future__ import annotations

from typing import Any

import pytest

from processors.core.policy import Policy
from processors.fhir import r5, r6
from processors.fhir.releases import release_of
from tests.builders.references import LEAST, MOST

SOUND = r6.render(MOST._replace(instances=MOST.instances[:1]))
POLYGON = {"regionType": "polygon", "coordinate": [0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1]}


def problems(content: dict[str, Any]) -> list[str]:
    return release_of(Policy(release="R6")).problems(content, True)


def test_what_is_rendered_fits() -> None:
    for reference in (LEAST, MOST):
        assert problems(r6.render(reference)) == []


def test_r5_s_form_is_not_r6_s() -> None:
    """Nor is a verdict on one taken for one on the other."""
    former = r5.render(MOST)
    assert release_of(Policy()).problems(former, True) == []
    assert {problem.partition(":")[0] for problem in problems(former)} >= {
        "derivedFrom.root",
        "bodySite",
        "instance.sopClass",
        "instance.subset",
        "instance.imageRegion3D",
    }
    assert "instance.frameNumber: extra_forbidden" in release_of(Policy()).problems(r6.render(MOST), True)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"instance": [{"uid": "1.2", "frameNumber": [0]}]}, "instance.frameNumber: greater_than_equal"),
        ({"instance": [{"uid": "1.2", "sopClass": "1.2.3"}]}, "instance.sopClass: string_pattern_mismatch"),
        ({"performer": [{"function": {"text": "x"}}]}, "performer.actor: missing"),
        ({"seriesUid": None, "frameOfReferenceUid": None, "instance": ()}, "seriesUid: required, or frame"),
        ({"seriesUid": None}, "seriesUid: required with seriesNumber and instance"),
        ({"frameOfReferenceUid": None, "imageRegion3D": [POLYGON]}, "frameOfReferenceUid: required with"),
        ({"imageRegion3D": [{"regionType": "point", "coordinate": [1, 2]}]}, "imageRegion3D: coordinates"),
        (
            {"instance": [{"uid": "1.2", "imageRegion2D": [{"regionType": "point", "coordinate": [1]}]}]},
            "instance.imageRegion2D: coordinates come in groups of 2",
        ),
        ({"instance": [{"uid": "1.2", "frameNumber": [1], "segmentNumber": [1]}]}, "instance: one kind of"),
        ({"instance": [{"uid": "1.2", "waveFormChannel": [1]}]}, "instance.waveFormChannel: pairs of group"),
    ],
)
def test_what_is_wrong_in_r6(change: dict[str, Any], problem: str) -> None:
    changed = {k: v for k, v in (SOUND | change).items() if v not in (None, ())}
    assert [found for found in problems(changed) if found.startswith(problem)] != []
