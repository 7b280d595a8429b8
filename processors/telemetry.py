"""Every log event and every metric once, each happening as one function.

Rules of this file: a function here is the only place that knows the name of its event and of its metrics;
no other file imports structlog or prometheus_client. Nothing of a patient, at any level: ids of topics,
partitions, offsets, codes and rules, never values of a data set, and no UID. Metric names begin with
`imaging_reference_` and carry their unit; a label takes its values from a closed set.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import Literal, TextIO

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from processors import hush
from processors.core.vocabulary import MODALITY_TERMS

REGISTRY = CollectorRegistry()
"""Our own: importing this package changes nothing in a program that has metrics of its own."""
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_log = structlog.stdlib.get_logger()

# ---- metrics ------------------------------------------------------------------------------------------

_records = Counter(
    "imaging_reference_records",
    "Input records by how they ended; adds up to the records consumed.",
    ["disposition", "reason"],
    registry=REGISTRY,
)
_references = Counter(
    "imaging_reference_references",
    "Revisions of references published, by change (published, revised, withdrawn, revived, erased).",
    ["change", "kind", "modality", "rule"],
    registry=REGISTRY,
)
_warnings = Counter(
    "imaging_reference_warnings",
    "Oddities in records that were used all the same.",
    ["code"],
    registry=REGISTRY,
)
_dead_letters = Counter(
    "imaging_reference_dead_letters", "Records put aside, by code.", ["code"], registry=REGISTRY
)
_parked_expired = Counter(
    "imaging_reference_parked_expired",
    "References put aside because no one ever named their series.",
    registry=REGISTRY,
)
_lost = Counter(
    "imaging_reference_lost_records",
    "Offsets that retention removed before they were read.",
    ["topic", "partition"],
    registry=REGISTRY,
)
_ignored_merges = Counter(
    "imaging_reference_ignored_merges",
    "Patient merges that would close a cycle, in each home.",
    registry=REGISTRY,
)
_purged = Counter("imaging_reference_purged_studies", "Studies that left the state.", registry=REGISTRY)
_frozen = Counter("imaging_reference_frozen_references", "References left as purged.", registry=REGISTRY)
_settle = Histogram(
    "imaging_reference_settle_seconds",
    "From a series' last instance to the publication of its reference, by the rule that closed it.",
    ["rule"],
    buckets=(0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 3600),
    registry=REGISTRY,
)
_transactions = Counter(
    "imaging_reference_transactions",
    "Transactions by outcome (committed, aborted).",
    ["outcome"],
    registry=REGISTRY,
)
_commit = Histogram(
    "imaging_reference_commit_seconds",
    "Duration of a transaction's commit.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
    registry=REGISTRY,
)
_registry = Counter(
    "imaging_reference_registry_unanswered_requests",
    "Schemas that were asked for without an answer; the batch is read again.",
    registry=REGISTRY,
)
_partitions = Gauge("imaging_reference_partitions_assigned", "Home partitions held.", registry=REGISTRY)
_restore = Gauge(
    "imaging_reference_restore_remaining_records",
    "Changelog records still to be read before the partition works.",
    ["partition"],
    registry=REGISTRY,
)
_lag = Gauge(
    "imaging_reference_lag_records",
    "Input records that are stored and not read yet.",
    ["topic", "partition"],
    registry=REGISTRY,
)
_lag_known: set[tuple[str, int]] = set()

_sink_references = Counter(
    "imaging_reference_sink_references",
    "References brought by a sink, by outcome (written, unchanged, deleted, refused, skipped).",
    ["sink", "outcome"],
    registry=REGISTRY,
)
_sink_unanswered = Counter(
    "imaging_reference_sink_unanswered_requests",
    "Batches that the other side did not take; they are brought again.",
    ["sink"],
    registry=REGISTRY,
)
_source_records = Counter(
    "imaging_reference_source_records", "Sent, and the broker has it.", ["source"], registry=REGISTRY
)
_commitments = Counter(
    "imaging_reference_commitments",
    "Objects that Storage Commitment was asked for, by answer (committed, failed).",
    ["outcome"],
    registry=REGISTRY,
)
_source_left_out = Counter(
    "imaging_reference_source_left_out", "Met, and not sent, by rule.", ["source", "rule"], registry=REGISTRY
)
_source_ignored = Counter(
    "imaging_reference_source_ignored_records",
    "Of no concern, by rule.",
    ["source", "rule"],
    registry=REGISTRY,
)

# ---- setting up ---------------------------------------------------------------------------------------


def configure(
    style: Literal["auto", "json", "console"] = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Send log events to `stream` (standard error): JSON, or for a person where it is a terminal."""
    stream = stream or sys.stderr
    for_a_person = style == "console" or (style == "auto" and stream.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if for_a_person
        else structlog.processors.JSONRenderer(sort_keys=True)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    hush.libraries(library_warned)
    for told_by_codes in ("pydicom", "urllib3"):
        silence(logging.getLogger(told_by_codes))
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")


def silence(logger: logging.Logger) -> None:
    """A library that warns of what we have codes for."""
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def exposition() -> tuple[str, bytes]:
    """Content type and body of `/metrics`."""
    return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(REGISTRY)


# ---- what a step did ----------------------------------------------------------------------------------


def step_committed(
    dispositions: Mapping[tuple[str, str], int], events: Mapping[tuple[str, ...], int]
) -> None:
    """Count what `pipeline.records.Step` tells of itself; once its transaction is committed, never before."""
    for (disposition, reason), count in dispositions.items():
        _records.labels(disposition, reason).inc(count)
        if disposition == "dead_lettered":
            _dead_letters.labels(reason).inc(count)
    for event, count in events.items():
        _count_event(event, count)


def _count_event(event: tuple[str, ...], count: int) -> None:
    match event:
        case ("warning", code):
            _warnings.labels(code).inc(count)
        case ("parked_expired", code):
            _parked_expired.inc(count)
            _dead_letters.labels(code).inc(count)
        case ("merge_ignored",):
            _ignored_merges.inc(count)
        case ("purged",):
            _purged.inc(count)
            _log.info("studies_purged", studies=count)
        case ("frozen",):
            _frozen.inc(count)
        case ("unpublished", code):
            _dead_letters.labels(code).inc(count)
        case (change, kind, modality, rule):
            told = modality if modality in MODALITY_TERMS else "other"  # any text, a name too
            _references.labels(change, kind, told, rule).inc(count)
        case _:
            raise ValueError(f"no metric for the event {event[0]}")


def series_settled(rule: str, settle_s: float) -> None:
    _settle.labels(rule).observe(settle_s)


def dead_lettered(code: str, tag: str, message: str, topic: str, partition: int, offset: int) -> None:
    """Say which record was put aside; counted by `step_committed`."""
    where = {"topic": topic, "partition": partition, "offset": offset}
    _log.warning("dead_lettered", code=code, tag=tag, message=message, **where)


# ---- the life of a member -----------------------------------------------------------------------------


def started(version: str, group: str, worker: int) -> None:
    _log.info("started", version=version, group=group, worker=worker)


def stopping(signal: str) -> None:
    _log.info("stopping", signal=signal)


def stopped(records: int) -> None:
    _log.info("stopped", records=records)


def serving(host: str, port: int) -> None:
    _log.info("serving", host=host, port=port)


def request_failed(error: str) -> None:
    """`error`: the exception's name; a request to the health server could not be answered."""
    _log.debug("request_failed", error=error)


def partitions_assigned(partitions: list[int]) -> None:
    """`partitions`: all home partitions held from now on."""
    _partitions.set(len(partitions))
    _log.info("partitions_assigned", partitions=partitions)


def partitions_lost(partitions: list[int]) -> None:
    """`partitions`: those that left; revoked in good order or taken."""
    _partitions.dec(len(partitions))
    for partition in partitions:
        _restore.remove_by_labels({"partition": str(partition)})
    _log.info("partitions_lost", partitions=partitions)


def restore_progressed(partition: int, position: int, end: int) -> None:
    """`position`: next changelog offset to read; `end`: where the restore ends."""
    _restore.labels(str(partition)).set(max(end - position, 0))
    _log.info("restore_progressed", partition=partition, position=position, end=end)


def restored(partition: int, duration_s: float) -> None:
    _restore.labels(str(partition)).set(0)
    _log.info("restored", partition=partition, duration_s=round(duration_s, 3))


def lag_read(lag: Mapping[tuple[str, int], int]) -> None:
    """`lag`: of all partitions held; those that are gone are forgotten."""
    for topic, partition in _lag_known - lag.keys():
        _lag.remove(topic, str(partition))
    for (topic, partition), records in lag.items():
        _lag.labels(topic, str(partition)).set(records)
    _lag_known.clear()
    _lag_known.update(lag)


def transaction_committed(records: int, commit_s: float) -> None:
    _transactions.labels("committed").inc()
    _commit.observe(commit_s)
    _log.debug("transaction_committed", records=records, commit_s=round(commit_s, 4))


def transaction_aborted(reason: str) -> None:
    """`reason`: librdkafka's error name; the batch is read again."""
    _transactions.labels("aborted").inc()
    _log.warning("transaction_aborted", reason=reason)


def state_unavailable(reason: str) -> None:
    """`reason`: SQLite's; the member is not ready until its state is restored."""
    _log.error("state_unavailable", reason=reason)


def input_lost(topic: str, partition: int, committed: int, first: int) -> None:
    """Retention removed records before they were read, or the topic was made anew: the group stood at
    `committed`, the log begins at `first`.
    """
    _lost.labels(topic, str(partition)).inc(max(first - committed, 0))
    _log.error("input_lost", topic=topic, partition=partition, committed=committed, first=first)


def broker_unreachable(reason: str) -> None:
    _log.warning("broker_unreachable", reason=reason)


def registry_unanswered(reason: str) -> None:
    """`reason`: a status of HTTP, or an exception's name."""
    _registry.inc()
    _log.warning("registry_unanswered", reason=reason)


def sink_brought(sink: str, outcomes: Mapping[str, int], refused: Iterable[tuple[str, int]]) -> None:
    """`refused`: reference id, status of HTTP. They stay on the topic, to be brought once mended."""
    for outcome, count in outcomes.items():
        _sink_references.labels(sink, outcome).inc(count)
    for reference_id, status in refused:
        _log.warning("sink_refused", sink=sink, reference_id=reference_id, status=status)


def sink_unanswered(sink: str, reason: str) -> None:
    _sink_unanswered.labels(sink).inc()
    _log.warning("sink_unanswered", sink=sink, reason=reason)


def library_warned(library: str, place: str, error: str, text: str) -> None:
    """As `hush.Say` has it."""
    _log.warning("library_warned", library=library, place=place, error=error, text=text)


def failed(reason: str) -> None:
    """The member ends; a new one takes up where the last commit left off."""
    _log.error("failed", reason=reason)


# ---- sources ------------------------------------------------------------------------------------------


def source_started(source: str, place: str) -> None:
    """`place`: an address or a folder of the site's own choosing."""
    _log.info("source_started", source=source, place=place)


def source_stopped(source: str) -> None:
    _log.info("source_stopped", source=source)


def source_sent(source: str, records: int) -> None:
    _source_records.labels(source).inc(records)
    _log.debug("source_sent", source=source, records=records)


def source_left_out(source: str, rule: str, **where: int | str) -> None:
    """`where`: what finds the thing again without naming a patient: an inode, a position, a SOP class."""
    _source_left_out.labels(source, rule).inc()
    _log.warning("source_left_out", source=source, rule=rule, **where)


def source_ignored(source: str, rule: str) -> None:
    """Good, and of no concern here."""
    _source_ignored.labels(source, rule).inc()
    _log.debug("source_ignored", source=source, rule=rule)


def source_subscribed(source: str, lease_s: float) -> None:
    _log.info("source_subscribed", source=source, lease_s=lease_s)


def commitment_reported(committed: int, failed: int, delivered: bool) -> None:
    """`delivered`: whoever asked has the report."""
    if delivered:
        _commitments.labels("committed").inc(committed)
        _commitments.labels("failed").inc(failed)
    log = _log.info if delivered else _log.warning
    log("commitment_reported", committed=committed, failed=failed, delivered=delivered)


def source_waiting(source: str, reason: str) -> None:
    """What the source reads from does not answer; it asks again."""
    _log.warning("source_waiting", source=source, reason=reason)
