"""From settings to a Pipeline: the one place where a site's decisions meet the topology.

Rules of this file: construction only.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from processors.avro.facts import SINGLE_OBJECT, FactFraming
from processors.avro.registered import Registry, Writers
from processors.dicom import ReadingPolicy
from processors.errors import SettingsError
from processors.fhir.skeleton import prepare
from processors.pipeline.claim_checks import ClaimChecks
from processors.pipeline.decode import Decoder
from processors.pipeline.topology import Limits, Pipeline
from processors.pipeline.web_documents import WebDocuments
from processors.settings import Settings


def decoder_of(settings: Settings, registry: Registry | None = None) -> Decoder:
    documents = settings.documents
    policy = ReadingPolicy(
        site_zone=settings.policy().identity.site_zone,
        time_budget_s=documents.time_budget_s,
        max_contours=settings.reports.max_contours,
        volumes=bool(settings.fhir.volumes_by),
        withhold_unfinished=settings.reports.unfinished == "withhold",
    )
    root = Path(documents.root) if documents.root else None
    web = WebDocuments(documents.allowed_hosts, documents.fetch_timeout_s)
    return Decoder(policy, ClaimChecks(root, web), Writers(registry) if registry else None)


def pipeline_of(
    settings: Settings,
    partitions: int,
    registry: Registry | None = None,
    fact_framing: FactFraming = SINGLE_OBJECT,
    *,
    purges: bool = True,
) -> Pipeline:
    """A topology for an intake of `partitions`, ready to go: what is slow to load is loaded. `purges`: as the
    settings say; else never.

    Raises SettingsError if the pseudonym key cannot be read.
    """
    prepare()
    policy, state = settings.policy(), settings.state
    return Pipeline(
        policy if purges else replace(policy, retention_days=0),
        decoder_of(settings, registry),
        partitions,
        settings.topics.intake,
        _pseudonym_key(settings.analytics.pseudonym_key_file),
        Limits(state.cached_instances, state.closing_clocks, state.closing_instances),
        fact_framing,
    )


def _pseudonym_key(path: str) -> bytes:
    if not path:
        return b""
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"analytics.pseudonym_key_file: cannot read {path}: {error.strerror}") from error
    if not key:
        raise SettingsError(f"analytics.pseudonym_key_file: {path} is empty; write a secret key into it")
    return key
