"""Which of several versions of a report prevails: the one verified last, whichever came last."""

from __future__ import annotations

from itertools import permutations

import pytest

from processors.core.corrections import InstanceErased
from processors.core.events import Document, DocumentPath
from processors.core.standing import reasons_against_document
from processors.core.study import StudyState
from tests.builders.events import (
    SR,
    STUDY,
    deleted,
    document,
    item,
    key_images,
    reported,
    stamp,
    study_of,
)
from tests.unit.pipeline.site import Site, resources


def version(sop: str, verified_at_us: int | None, *predecessors: str) -> Document:
    paths = tuple(DocumentPath(STUDY, "2.9", uid) for uid in predecessors)
    made = document(key_images(item()), sop=sop, sop_class=SR, predecessors=paths)
    return made._replace(verified_at_us=verified_at_us)


def standing(study: StudyState) -> set[str]:
    return {
        path.sop_instance_uid
        for path, state in study.documents.items()
        if not reasons_against_document(study, state, hide_quality=True)
    }


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([("1", None), ("2", None, "1"), ("3", None, "1")], {"2", "3"}),
        ([("1", None), ("2", 10, "1"), ("3", 11, "1")], {"3"}),
        ([("2", 11, "1"), ("3", 10, "1")], {"2"}),
        ([("2", 10, "1"), ("3", 10, "1")], {"2", "3"}),
        ([("2", 10, "1"), ("3", 11, "0")], {"2", "3"}),
        ([("1", 12), ("2", 11, "1")], {"2"}),
        ([("2", 10, "1"), ("3", 11, "1"), ("4", None, "3")], {"4"}),
        ([("2", 10, "1"), ("3", 9, "1"), ("4", 11, "3")], {"4"}),
        ([("1", 5, "0"), ("2", 10, "0"), ("3", 7, "1")], {"2"}),
    ],
    ids=[
        "none is verified",
        "the later one",
        "the later one, by its verification",
        "at the same time",
        "of another report",
        "a successor, though verified before",
        "replaced itself, it still was later",
        "a successor of a rival",
        "by a predecessor's predecessor",
    ],
)
def test_the_version_verified_last_prevails(
    versions: list[tuple[str, int | None, str]], expected: set[str]
) -> None:
    for order in permutations(versions):
        study = study_of(*(reported(version(*each), at_s=int(each[0])) for each in order))
        assert standing(study) == expected


def test_versions_give_way_and_come_back_with_what_happens_to_the_others() -> None:
    """Each is looked at again though nothing names it."""
    for gone in (
        deleted("5.3", 9, series="2.9"),
        InstanceErased(STUDY, "2.9", "5.3", stamp(9, removal=True)),
    ):
        site = Site()
        status: dict[str, str] = {}
        for each in (reported(version("5.2", 10, "5.1")), reported(version("5.3", 11, "5.1"))):
            status |= {r["identifier"][1]["value"]: r["status"] for r in resources(site.tell(each))}
        assert status == {"urn:oid:5.2": "entered-in-error", "urn:oid:5.3": "available"}
        [back] = [r for r in resources([o for o in site.tell(gone) if o.value]) if r["status"] == "available"]
        assert back["identifier"][1]["value"] == "urn:oid:5.2"
