"""What the page of one reference is given: its history, its resource, its records, its picture.

Rules of this file: asks the broker and the disk, blocking; called from threads of the server, never from
its loop.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from processors.errors import UsageError
from processors.fhir.reading import read_reference
from processors.input_files import inputs_of
from processors.operations.explain import RULES, Explanation, explain
from processors.operations.input_records import input_records, ranges_of
from processors.operations.resource import published_resource
from processors.settings import Settings

NO_IMAGES = "Where the images are was not said: start the page with --images."
NO_EXTRA = "Pictures need the extra `render`: pip install 'imaging-reference-processors[render]'."
NOT_SHOWN = "None of its images is where --images says, or nothing of it can be drawn."


def described(settings: Settings, reference_id: str, study: str, with_records: bool) -> dict[str, Any]:
    """Everything but the picture. Raises NotFound, Unavailable."""
    explanation = explain(settings, reference_id, study)
    revisions = explanation.revisions
    facts = [revision.fact for revision in revisions]
    resource = published_resource(settings, reference_id, _published_at(explanation))
    return {
        "id": reference_id,
        "latest": explanation.latest,
        "last": facts[-1] if facts else None,
        "revisions": [
            {"change": each.change, "fact": each.fact, "at": _instant(each.fact["published_at"])}
            for each in revisions
        ],
        "rules": [(rule, RULES[rule]) for rule in RULES if any(fact["closed_by"] == rule for fact in facts)],
        "ranges": ranges_of(revisions),
        "records": input_records(settings, revisions) if with_records else None,
        "json": _pretty(resource),
    }


def picture(settings: Settings, reference_id: str, study: str, images: Sequence[Path]) -> bytes:
    """PNG. Raises UsageError, which says why, where there is none; NotFound, Unavailable."""
    if not images:
        raise UsageError(NO_IMAGES)
    try:
        from processors.render import Options, render  # noqa: PLC0415 (an extra of its own)
    except ImportError:
        raise UsageError(NO_EXTRA) from None
    explanation = explain(settings, reference_id, study)
    resource = published_resource(settings, reference_id, _published_at(explanation))
    if resource is None:
        raise UsageError("nothing is published any more")
    inputs = inputs_of(_near(images, explanation.latest["study_uid"]))
    try:
        return render(read_reference(json.loads(resource)), inputs, Options()).png
    except UsageError:
        raise UsageError(NOT_SHOWN) from None


def _near(images: Sequence[Path], study_instance_uid: str) -> list[Path]:
    """Folders of this study, where studies have folders named after them; else all that was given."""
    own = [path / study_instance_uid for path in images]
    return [path for path in own if path.is_dir()] or list(images)


def _published_at(explanation: Explanation) -> int | None:
    return explanation.revisions[-1].fact["published_at"] if explanation.revisions else None


def _pretty(resource: bytes | None) -> str:
    return "" if resource is None else json.dumps(json.loads(resource), indent=2, ensure_ascii=False)


def _instant(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
