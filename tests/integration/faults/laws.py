"""What must hold on the topics whatever happened, as a read_committed reader and the group's offsets tell.

Rules of this file: questions to the broker and assertions; nothing is sent, no process is touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from processors.avro.facts import decode_fact
from processors.pipeline.records import OutputRecord, OutputTopic
from tests.integration.site import PATIENCE_S, Site, until
from tests.property.runs import References, latest

INPUTS = ("instances", "reports", "intake")


def references(site: Site) -> tuple[References, References]:
    """(available, withdrawn) by id; each revision of an id must be there once, and in order."""
    return latest(
        [
            OutputRecord(OutputTopic.FHIR, each.key, each.value, list(each.headers.items()))
            for each in site.read("fhir")
        ]
    )


def holds(site: Site, expected: tuple[References, References]) -> bool:
    """The topic has exactly the references of an undisturbed run. One that was withdrawn before it was ever
    published may be there, withdrawn, or not at all.
    """
    available, withdrawn = references(site)
    both = withdrawn.keys() & expected[1].keys()
    return available == expected[0] and all(withdrawn[i] == expected[1][i] for i in both)


def difference(site: Site, expected: tuple[References, References]) -> str:
    """Ids of what is not as in an undisturbed run, in words for who reads a failure."""
    told = []
    for name, found, wanted in zip(("available", "withdrawn"), references(site), expected, strict=True):
        other = sorted(each for each in found.keys() & wanted.keys() if found[each] != wanted[each])
        told += [f"{name}: missing {sorted(wanted.keys() - found.keys())}, "]
        told += [f"too many {sorted(found.keys() - wanted.keys())}, other {other}\n"]
    return "".join(told)


def one_fact_for_each_revision(site: Site) -> None:
    """They come with one transaction, which readers of two topics do not see at the same moment; and a
    reference that was withdrawn before its first publication may be published while they are read.
    """

    def agree() -> bool:
        facts = [decode_fact(each.value or b"") for each in site.read("analytics")]
        return Counter((fact["reference_id"], fact["revision"]) for fact in facts) == revisions(site)

    until(agree, "a fact for each revision, and a revision for each fact", found=lambda: revisions(site))
    assert set(revisions(site).values()) <= {1}


def revisions(site: Site) -> Counter[tuple[str, int]]:
    """How often each revision of an id is on the topic."""
    return Counter(((each.key or b"").decode(), int(each.headers["revision"])) for each in site.read("fhir"))


def records_between(
    site: Site, first: Mapping[tuple[str, int], int], last: Mapping[tuple[str, int], int]
) -> int:
    """Records of the inputs, without those that were aborted, from `first` up to `last`, exclusive."""
    found = 0
    for role in INPUTS:
        topic = site.topic(role)
        for each in site.read(role):
            where = topic, each.partition
            found += first.get(where, 0) <= each.offset < last.get(where, 0)
    return found


def committed(site: Site) -> dict[tuple[str, int], int]:
    return {
        (site.topic(role), partition): max(offset, 0)
        for role in INPUTS
        for partition, offset in site.committed(role).items()
    }


def no_lag(site: Site, patience_s: float = PATIENCE_S) -> None:
    """The group comes to the end of all inputs by itself."""
    until(
        lambda: committed(site) == site.ends(INPUTS),
        "no lag",
        patience_s=patience_s,
        found=lambda: (committed(site), site.ends(INPUTS)),
    )
