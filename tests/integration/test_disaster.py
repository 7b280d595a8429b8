"""The runbook's disasters for real: the changelog is gone; the whole cluster is gone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

import msgspec

from tests.broker import Broker
from tests.builders.goldens import Message
from tests.integration.desk import Desk
from tests.integration.hospital import Resources, content_of, documents, morning, poison, undisturbed
from tests.integration.site import Site, until

MORNING = [*morning(), *documents(), *poison()]


def told(site: Site, messages: Sequence[Message] = MORNING) -> None:
    for role in ("instances", "reports"):
        site.send(role, [(m.key, m.value) for m in messages if m.topic == f"dicom-{role}"])


def newest(site: Site) -> Resources:
    """What a reader holds who keeps the last value of each key, whatever its revision."""
    found = {seen.key: json.loads(seen.value) for seen in site.read("fhir") if seen.value}
    return {each["id"]: content_of(each) for each in found.values()}


def runs_until_all_is_there(site: Site, published: int = 0) -> None:
    """`published`: records that were on the FHIR topic before, each of which comes once more at least."""
    whole = undisturbed(site.settings, MORNING)
    with Desk(site).run() as running:
        until(
            lambda: newest(site) == whole and len(site.read("fhir")) >= published + len(whole),
            "the references of an undisturbed run",
            running,
        )
        assert running.stop() == 0


def test_the_changelog_is_lost_and_the_inputs_are_there(site: Site) -> None:
    told(site)
    runs_until_all_is_there(site)
    published = site.read("fhir")
    for future in site.admin.delete_topics([site.topic(role) for role in ("intake", "changelog")]).values():
        future.result()
    with Desk(site).run() as running:
        assert running.wait() == 1
        assert running.said("topics create")

    anew = site.with_names(intake=f"i2-{site.suffix}", changelog=f"c2-{site.suffix}")
    kafka = {**anew.settings.kafka, "group.id": f"group2-{site.suffix}"}
    anew.settings = msgspec.structs.replace(anew.settings, kafka=kafka)
    assert Desk(anew).ask("topics", "create") == ""
    runs_until_all_is_there(anew, len(published))
    again = anew.read("fhir")
    ids = {seen.key for seen in published}
    assert {seen.key for seen in again} == ids, "references keep their ids"
    firsts = [seen.key for seen in again if seen.headers["revision"] == b"1"]
    assert len(firsts) == 2 * len(ids), "revisions count from 1 again"


def test_the_cluster_is_lost_and_the_archive_tells_again(site: Site, kafka: Broker) -> None:
    told(site)
    runs_until_all_is_there(site)
    other = Site(kafka.bootstrap, uuid.uuid4().hex[:8], site.folder)
    assert Desk(other).ask("topics", "create") == ""
    told(other, MORNING[::-1])
    runs_until_all_is_there(other)
    assert {seen.key for seen in other.read("fhir")} == {seen.key for seen in site.read("fhir")}
