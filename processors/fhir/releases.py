"""The FHIR release that a site publishes: how a reference is rendered, judged and named in it.

Rules of this file: a line a release; what each looks like is its own file's part.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from processors.core.policy import Policy
from processors.core.reference import ImagingReference, WithdrawalReason
from processors.fhir import r4, r5, r6
from processors.fhir.datatypes import Content
from processors.fhir.r6_structure import broken_invariants
from processors.fhir.skeleton import validate


class Release(NamedTuple):
    fhir_version: str
    """Header of the same name (CONTRACT 2)."""
    render: Callable[[ImagingReference], Content]
    """The content that the hash is taken of: another release is another content, and a revision."""
    status_of: Callable[[WithdrawalReason | None], str]
    problems: Callable[[Content, bool], list[str]]
    """(content, whole) → what does not fit the release's structure; `whole` as in `skeleton.validate`."""


R5 = Release(r5.FHIR_VERSION, r5.render, r5.status_of, lambda content, whole: validate(content, whole=whole))


def release_of(policy: Policy) -> Release:
    if policy.release == "R4":
        render = partial(
            r4.render,
            package=policy.r4_package,
            status_modifies=policy.r4_status == "modifier_extension",
            plain_codes=policy.r4_codes == "plain",
        )
        return Release(r4.FHIR_VERSION, render, r5.status_of, _problems_r4)
    if policy.release == "R6":
        return Release(r6.FHIR_VERSION, r6.render, r6.status_of, _problems_r6)
    return R5


def _problems_r4(content: Content, whole: bool) -> list[str]:
    return validate(content if whole else r4.skeleton(content), whole=True)


def _problems_r6(content: Content, whole: bool) -> list[str]:
    return [*validate(content, whole=whole, structure="R6"), *broken_invariants(content)]


def meta_of(content: Content, version_id: int, last_updated: str) -> Content:
    """`meta` as published; `last_updated` is an instant. `content` stays as it is."""
    return {"versionId": str(version_id), "lastUpdated": last_updated, **content.get("meta", {})}
