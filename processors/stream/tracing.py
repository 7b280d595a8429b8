"""OpenTelemetry: a span for each batch, from its first record to its commit, and one for each publication.

Rules of this file: the one place that imports OpenTelemetry, and itself imported only where `tracing.enabled`
is set. Numbers and the headers' routing facts become attributes; nothing of a patient, as in the headers.

    batch          links to the inputs whose records it read (header `traceparent`, W3C Trace Context)
    publication    goes on with the trace of the input that led to it, whose child it is; links to its batch.
                   The records of the reference carry its own `traceparent` on, instead of the input's

A publication without a traced input belongs to its batch's trace, and its records say nothing of a trace.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from processors.pipeline.records import Headers, OutputRecord, OutputTopic, Record
from processors.settings.sections import Tracing

MOST_LINKS = 128
"""Of a batch: OpenTelemetry's own default limit, beyond which a span drops links."""

TRACEPARENT = "traceparent"
_PUBLISHED = (OutputTopic.FHIR, OutputTopic.ANALYTICS)
_TOLD = {
    "ce_subject": "imaging_reference.id",
    "revision": "imaging_reference.revision",
    "kind": "imaging_reference.kind",
    "modality": "imaging_reference.modality",
    "status": "imaging_reference.status",
}
"""Header → attribute of a publication."""
_propagator = TraceContextTextMapPropagator()


class Tracer:
    """Sends the spans of one member. What is standard is said by the environment (OTEL_*): sampling, headers,
    attributes of the resource, and the endpoint where `endpoint` is empty.
    """

    def __init__(self, service: Mapping[str, str], exporter: SpanExporter) -> None:
        """`service`: attributes of the resource, as `service.name`; the environment's win."""
        resource = Resource.create(dict(service)).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("imaging-reference-processors")

    def batch(self) -> BatchTrace:
        return BatchTrace(self._tracer)

    def flush(self) -> None:
        self._provider.force_flush()

    def close(self) -> None:
        """Sends what is left, as far as the collector answers."""
        self._provider.shutdown()


def tracer_of(settings: Tracing, service: Mapping[str, str]) -> Tracer:
    """To the collector that `settings` or the environment names."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a collector that is away is no news
    endpoint = f"{settings.endpoint.rstrip('/')}/v1/traces" if settings.endpoint else None
    return Tracer(service, OTLPSpanExporter(endpoint))


class BatchTrace:
    """The spans of one transaction. Used by one thread, and for one transaction only."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._span: Span | None = None
        self._linked: set[int] = set()
        """Span ids."""
        self._publications: dict[bytes, Span] = {}
        """By ce_id: the FHIR record and the fact of a revision are one publication."""

    def read(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records; with the first the batch begins, if it has not."""
        for record in records:
            self._link(record.headers)
            yield record

    def traced(self, outputs: Iterable[OutputRecord]) -> list[OutputRecord]:
        """The same records; those of references with the `traceparent` of their publication."""
        return [self._traced(each) if each.topic in _PUBLISHED else each for each in outputs]

    def end(self, records: int, error: str = "") -> None:
        """Committed; or, with `error`, rolled back: what it published is not there."""
        if self._span is None:
            return
        for span in (*self._publications.values(), self._span):
            if error:
                span.set_status(Status(StatusCode.ERROR, error))
        for publication in self._publications.values():
            publication.end()
        self._span.set_attribute("messaging.batch.message_count", records)
        self._span.set_attribute("imaging_reference.publications", len(self._publications))
        self._span.end()

    def _link(self, headers: Headers | None) -> None:
        span = self._begun()
        if not headers or len(self._linked) == MOST_LINKS or (sent := _context_of(headers)) is None:
            return
        context = trace.get_current_span(sent).get_span_context()
        if context.span_id not in self._linked:
            self._linked.add(context.span_id)
            span.add_link(context)

    def _begun(self) -> Span:
        if self._span is None:
            attributes = {"messaging.system": "kafka", "messaging.operation.type": "process"}
            self._span = self._tracer.start_span(
                "imaging-reference batch", Context(), SpanKind.CONSUMER, attributes
            )
        return self._span

    def _traced(self, record: OutputRecord) -> OutputRecord:
        sent = _context_of(record.headers)
        span = self._publication(record.headers, sent)
        if sent is None:
            return record
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(span))
        own = carrier[TRACEPARENT].encode()
        headers = [(name, own if name == TRACEPARENT else value) for name, value in record.headers]
        return record._replace(headers=headers)

    def _publication(self, headers: Headers, sent: Context | None) -> Span:
        said = dict(headers)
        span = self._publications.get(said["ce_id"])
        if span is None:
            batch = self._begun()
            attributes = {"messaging.system": "kafka", "messaging.operation.type": "send"}
            attributes |= {told: said[name].decode() for name, told in _TOLD.items()}
            span = self._tracer.start_span(
                said["ce_type"].decode(),
                trace.set_span_in_context(batch) if sent is None else sent,
                SpanKind.PRODUCER,
                attributes,
                [] if sent is None else [Link(batch.get_span_context())],
            )
            self._publications[said["ce_id"]] = span
        return span


def _context_of(headers: Headers) -> Context | None:
    """The trace context of a record; None where it has none or one that is not well-formed."""
    for name, value in headers:
        if name == TRACEPARENT:
            context = _propagator.extract({TRACEPARENT: value.decode("ascii", "replace")}, Context())
            return context if trace.get_current_span(context).get_span_context().is_valid else None
    return None
