"""Revisions, their headers and facts; what is too large or broken; nothing of the patient."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable

import pytest

from processors.core.events import Region
from processors.core.reference import ImagingReference
from processors.fhir import r4, r5, r6
from processors.fhir.datatypes import Content
from processors.fhir.releases import meta_of
from processors.pipeline import publishing
from processors.pipeline.publishing import with_meta
from processors.pipeline.records import OutputTopic
from processors.wire.json_text import dump
from tests.builders.events import STUDY as CORE_STUDY
from tests.builders.events import arrived, deleted, document, item, key_images, reported
from tests.builders.references import LEAST, MOST
from tests.unit.pipeline.site import (
    SERIES,
    START_MS,
    STUDY,
    Site,
    event,
    facts,
    headers_of,
    image,
    letters,
    resources,
)


def test_cloudevents_and_routing_headers() -> None:
    site = Site()
    site.send(image())
    resource_record, fact_record = site.wait(10)
    (resource,) = resources(site.outputs)
    (fact,) = facts(site.outputs)
    assert headers_of(resource_record) == {
        "ce_specversion": "1.0",
        "ce_id": f"{resource['id']}/1/{fact['content_hash'][:8]}",
        "ce_type": "imaging-reference.published",
        "ce_source": "https://imaging-reference.example",
        "ce_time": "2026-01-02T10:00:10.000Z",
        "ce_subject": resource["id"],
        "kind": "series",
        "modality": "CT",
        "study_uid": STUDY,
        "series_uid": SERIES,
        "fhir_version": "5.0.0",
        "revision": "1",
        "status": "available",
        "content-type": "application/fhir+json",
    }
    assert headers_of(fact_record) == headers_of(resource_record) | {"content-type": "application/avro"}
    assert (resource_record.key, fact_record.key) == (resource["id"].encode(), STUDY.encode())
    assert resource["meta"] == {"versionId": "1", "lastUpdated": "2026-01-02T10:00:10.000Z"}
    assert fact["published_at"] == (START_MS + 10_000) * 1000


@pytest.mark.parametrize("reference", [LEAST, MOST], ids=["least", "most"])
@pytest.mark.parametrize("render", [r5.render, r4.render, r6.render], ids=["R5", "R4", "R6"])
def test_meta_of_a_publication_is_put_into_the_text(
    render: Callable[[ImagingReference], Content], reference: ImagingReference
) -> None:
    content = render(reference)
    meta = meta_of(content, 4, "2025-01-02T03:04:06.000Z")
    published = json.loads(with_meta(dump(content), content, meta))
    assert list(published)[:3] == ["resourceType", "id", "meta"]
    assert list(published["meta"])[:2] == ["versionId", "lastUpdated"]
    assert published["meta"] == {"versionId": "4", "lastUpdated": "2025-01-02T03:04:06.000Z"} | content.get(
        "meta", {}
    )
    assert published | {"meta": content.get("meta")} == content | {"meta": content.get("meta")}


def test_meta_has_its_place() -> None:
    content = {"id": "1", "resourceType": "Basic"}
    with pytest.raises(ValueError, match="begins with resourceType"):
        with_meta(dump(content), content, {})


def test_the_life_of_a_reference() -> None:
    site = Site()
    steps = [
        arrived(at_s=1),
        arrived("3.2", 2),
        deleted(at_s=3),
        deleted("3.2", 4),
        arrived("3.2", 5),
    ]
    for step in steps:
        site.tell(step)
        site.wait(10)
    heads = [headers_of(o) for o in site.outputs if o.topic is OutputTopic.FHIR]
    assert [(h["ce_type"].rpartition(".")[2], h["revision"], h["status"]) for h in heads] == [
        ("published", "1", "available"),
        ("revised", "2", "available"),
        ("revised", "3", "available"),
        ("withdrawn", "4", "entered-in-error"),
        ("revived", "5", "available"),
    ]
    assert [(f["added"], f["removed"], f["changed"]) for f in facts(site.outputs)] == [
        (1, 0, 0),
        (1, 0, 0),
        (0, 1, 0),
        (0, 1, 0),
        (1, 0, 0),
    ]
    hashes = [f["content_hash"] for f in facts(site.outputs)]
    assert len(set(hashes)) == 5


def test_what_was_withdrawn_before_its_first_publication_is_published_once_withdrawn() -> None:
    site = Site()
    site.tell(arrived(at_s=1), deleted(at_s=2))
    site.wait(10)
    (fact,) = facts(site.outputs)
    assert (fact["revision"], fact["status"], fact["added"]) == (1, "entered-in-error", 0)
    assert {headers_of(o)["ce_type"] for o in site.outputs} == {"imaging-reference.withdrawn"}


def test_members_of_a_document_are_counted_by_what_is_said_of_them() -> None:
    site = Site()
    marked = item("3.1")._replace(regions_2d=(Region("point", (1, 2)),))
    site.tell(reported(document(key_images(item("3.1"), item("3.2"))), 1))
    site.tell(reported(document(key_images(marked, item("3.3"))), 2))
    changes = [(f["added"], f["removed"], f["changed"]) for f in facts(site.outputs)]
    assert changes == [(2, 0, 0), (1, 1, 1)]


def test_warnings_and_duplicates_are_told_later_and_cause_no_revision() -> None:
    site = Site()
    site.send(image(), image(), image(body_part_examined="CHEST"))
    site.wait(10)
    (fact,) = facts(site.outputs)
    assert (fact["duplicates"], fact["warnings"]) == (1, [])
    site.send(image(instance_number=1, number_of_frames=None), image())
    assert site.wait(10) == []


# ---- what cannot be published ----------------------------------------------------------------------------


def test_what_is_too_large_is_a_dead_letter_and_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site()
    site.send(image(1))
    (published, _) = site.wait(10)
    monkeypatch.setattr(publishing, "MAX_REFERENCE_BYTES", len(published.value or b"") + 20)
    site.send(image(2), image(3))
    (letter,) = site.wait(10)
    assert letter.topic is OutputTopic.DEAD_LETTERS
    assert headers_of(letter)["__imaging.errors.code"] == "too_large"
    assert letter.key == STUDY.encode()
    assert site.member.events["unpublished", "too_large"] == 1
    assert site.wait(3600) == [], "said once"
    site.send(event("instance.deleted", 2, "11:00:00"), event("instance.deleted", 3, "11:00:00"))
    (resource,) = resources(site.wait(10))
    assert resource["meta"]["versionId"] == "2", "no number was lost"


@pytest.mark.parametrize("kind", ["series", "key_images"])
def test_what_is_too_large_only_once_it_is_withdrawn_goes_without_its_list(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its tag makes it longer than it was; it must not stay available for that."""
    site = Site()
    many = [f"3.{n}" for n in range(1, 40)]
    made = document(key_images(*map(item, many)))
    site.tell(*map(arrived, many), *([reported(made)] if kind == "key_images" else []))
    site.wait(10)
    published = next(o for o in site.outputs if headers_of(o)["kind"] == kind)
    monkeypatch.setattr(publishing, "MAX_REFERENCE_BYTES", len(published.value or b"") + 20)
    site.tell(*[deleted(sop, 9) for sop in many])
    site.wait(10)
    latest = {r["id"]: r for r in resources(site.outputs)}
    withdrawn = latest[(published.key or b"").decode()]
    assert (withdrawn["status"], withdrawn["meta"]["versionId"]) == ("entered-in-error", "2")
    assert "instance" not in withdrawn
    assert letters(site.outputs) == []
    assert site.wait(3600) == []


def test_a_reference_that_was_never_published_has_no_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site()
    with monkeypatch.context() as limited:
        limited.setattr(publishing, "MAX_REFERENCE_BYTES", 10)
        site.send(image(1))
        assert [o.topic for o in site.wait(10)] == [OutputTopic.DEAD_LETTERS]
    site.send(image(2))
    site.wait(10)
    (fact,) = facts(site.outputs)
    assert (fact["revision"], fact["added"]) == (1, 2)
    assert headers_of(site.outputs[-1])["ce_type"] == "imaging-reference.published"


def test_what_breaks_a_rule_is_not_published() -> None:
    site = Site()
    bent = item()._replace(regions_2d=(Region("point", (1, 2, 3)),))
    (letter,) = site.tell(reported(document(key_images(bent))))
    said = headers_of(letter)
    assert said["__imaging.errors.code"] == "no_usable_reference"
    assert said["__streams.errors.message"] == "instance.imageRegion2D: coordinates come in groups of 2"
    assert letter.key == CORE_STUDY.encode()


def test_what_breaks_a_rule_by_now_is_withdrawn_and_may_come_back() -> None:
    """A region on an image, which by what came later is none."""
    site = Site()
    on_image = item()._replace(regions_2d=(Region("point", (1, 2)),))
    region = document(key_images(on_image))
    site.tell(reported(region))
    no_image = arrived(on_image.sop_instance_uid, 1)
    no_image = no_image._replace(instance=no_image.instance._replace(sop_class_uid=region.sop_class_uid))
    site.outputs.clear()
    site.tell(no_image)
    site.wait(10)
    (withdrawn,) = (r for r in resources(site.outputs) if r["status"] == "entered-in-error")
    assert "instance" not in withdrawn
    assert withdrawn["meta"]["versionId"] == "2"
    (letter,) = letters(site.outputs)
    assert headers_of(letter)["__streams.errors.message"] == "instance.imageRegion2D: only on an image"
    site.outputs.clear()
    site.tell(no_image._replace(stamp=no_image.stamp._replace(event_id="again")))
    assert [*site.wait(10), *letters(site.outputs)] == [], "said once"
    site.tell(arrived(on_image.sop_instance_uid, 2))
    site.wait(10)
    (revived,) = (r for r in resources(site.outputs) if r["id"] == withdrawn["id"])
    assert (revived["status"], revived["meta"]["versionId"]) == ("available", "3")
    assert revived["instance"][0]["imageRegion2D"]


# ---- the patient -----------------------------------------------------------------------------------------

KEY = b"site secret"


def test_the_pseudonym_is_a_keyed_hash_of_who() -> None:
    site = Site(key=KEY)
    site.send(image(), image(2, series_instance_uid="2.999.1.3", issuer_of_patient_id="2.999.8"))
    site.wait(10)
    expected = hmac.new(KEY, b"urn:oid:2.999.8|SECRET-77", hashlib.sha256).hexdigest()
    assert {f["patient_pseudonym"] for f in facts(site.outputs)} <= {
        expected,
        hmac.new(KEY, b"|SECRET-77", hashlib.sha256).hexdigest(),
    }
    without = Site()
    without.send(image())
    without.wait(10)
    assert facts(without.outputs)[0]["patient_pseudonym"] is None


def test_nothing_of_the_patient_but_in_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(key=KEY)
    site.send(
        image(),
        image(2, sop_instance_uid="SECRET-77"),
        image(3, study_date="ORDER-88"),
        event("SECRET-77"),
        image(4, occurred_at="SECRET-77"),
        event("instance.deleted", at="10:00:01"),
    )
    site.wait(10)
    monkeypatch.setattr(publishing, "MAX_REFERENCE_BYTES", 10)
    site.send(image(5))
    site.wait(10)
    assert {"invalid_uid", "unknown_event", "undecodable_record", "too_large"} <= {
        headers_of(o)["__imaging.errors.code"] for o in letters(site.outputs)
    }
    secrets = (b"SECRET-77", b"ORDER-88")
    for output in site.outputs:
        assert not any(secret in value for _, value in output.headers for secret in secrets)
        if output.topic is OutputTopic.ANALYTICS:
            assert not any(secret in (output.value or b"") for secret in secrets)
    described = [o for o in letters(site.outputs) if headers_of(o)["__imaging.errors.code"] == "too_large"]
    assert not any(secret in (o.value or b"") for o in described for secret in secrets)
    assert any(secrets[0] in (o.value or b"") for o in site.outputs if o.topic is OutputTopic.FHIR)
