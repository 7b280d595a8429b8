"""Spans of batches and publications, with OpenTelemetry's own exporter in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from processors.pipeline.publishing import Background, Publisher
from processors.pipeline.records import OutputRecord, OutputTopic, Record, Step
from processors.stream.batch import Batch
from processors.stream.tracing import MOST_LINKS, TRACEPARENT, Tracer
from tests.builders.references import MOST

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Site:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer = Tracer({"service.name": "imaging-reference"}, self.exporter)

    def spans(self) -> dict[str, ReadableSpan]:
        self.tracer.flush()
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.tracer.close()


def record(*traceparents: str) -> Record:
    return Record("t", 0, 0, 0, None, b"", [(TRACEPARENT, each.encode()) for each in traceparents])


def published(traceparent: str = "") -> list[OutputRecord]:
    step = Step()
    Publisher().publish(
        step, MOST._replace(withdrawn=None), None, Background(traceparent=traceparent.encode()), 1
    )
    return step.outputs


def header(output: OutputRecord, name: str) -> str:
    return dict(output.headers).get(name, b"").decode()


def test_a_publication_goes_on_with_the_trace_of_its_input(site: Site) -> None:
    batch = Batch(site.tracer)
    list(batch.read([record(PARENT)]))
    outputs = list(batch.traced(published(PARENT)))
    batch.add(Step(), 1)
    assert site.spans() == {}
    batch.tell(0.1)
    spans = site.spans()
    assert spans.keys() == {"imaging-reference batch", "imaging-reference.published"}
    whole, one = spans["imaging-reference batch"], spans["imaging-reference.published"]
    assert (one.context and whole.context and one.parent) is not None
    assert one.context is not None
    assert one.parent is not None
    assert (format_trace_id(one.context.trace_id), format_span_id(one.parent.span_id)) == (
        TRACE,
        PARENT[36:52],
    )
    assert [link.context for link in one.links] == [whole.context]
    assert [format_span_id(link.context.span_id) for link in whole.links] == [PARENT[36:52]]
    carried = f"00-{TRACE}-{format_span_id(one.context.span_id)}-01"
    assert [(each.topic, header(each, TRACEPARENT)) for each in outputs] == [
        (OutputTopic.FHIR, carried),
        (OutputTopic.ANALYTICS, carried),
    ]
    assert one.attributes is not None
    assert one.attributes["imaging_reference.id"] == MOST.id
    assert (one.status.is_ok, whole.attributes and whole.attributes["messaging.batch.message_count"]) == (
        True,
        1,
    )


def test_without_a_traced_input_nothing_is_told_to_readers(site: Site) -> None:
    batch = Batch(site.tracer)
    sent = published()
    assert list(batch.traced(sent)) == sent
    batch.tell(0.1)
    spans = site.spans()
    assert spans["imaging-reference.published"].parent == spans["imaging-reference batch"].context


@pytest.mark.parametrize("sent", ["", "00-1-1-01", "Doe^Jane", f"00-{'0' * 32}-b7ad6b7169203331-01", "ü"])
def test_what_is_no_trace_context_is_passed_on_as_it_is(site: Site, sent: str) -> None:
    batch = Batch(site.tracer)
    list(batch.read([record(sent)]))
    assert [header(each, TRACEPARENT) for each in batch.traced(published(sent))] == [sent, sent]
    batch.tell(0.1)
    assert [list(span.links) for span in site.spans().values()] == [[], []]


def test_what_is_not_sampled_stays_so(site: Site) -> None:
    batch = Batch(site.tracer)
    outputs = list(batch.traced(published(f"{PARENT[:-2]}00")))
    batch.tell(0.1)
    assert site.spans().keys() == {"imaging-reference batch"}
    assert header(outputs[0], TRACEPARENT).startswith(f"00-{TRACE}-")
    assert header(outputs[0], TRACEPARENT).endswith("-00")


def test_a_batch_that_is_rolled_back_says_so(site: Site) -> None:
    batch = Batch(site.tracer)
    list(batch.read([record()]))
    list(batch.traced(published(PARENT)))
    batch.dropped("FENCED")
    assert {span.status.description for span in site.spans().values()} == {"FENCED"}


def test_links_are_of_different_inputs_and_not_without_end(site: Site) -> None:
    batch = Batch(site.tracer)
    records = [record(f"00-{TRACE}-{number:016x}-01") for number in range(1, 2 * MOST_LINKS)]
    list(batch.read([record(PARENT), record(PARENT), record(), *records]))
    batch.tell(0.1)
    links = list(site.spans()["imaging-reference batch"].links)
    assert len({link.context.span_id for link in links}) == len(links) == MOST_LINKS


def test_nothing_polled_is_no_batch(site: Site) -> None:
    batch = Batch(site.tracer)
    list(batch.read([]))
    batch.tell(0.1)
    assert site.spans() == {}


def test_without_a_tracer_records_are_the_same_objects() -> None:
    batch, outputs = Batch(), published(PARENT)
    records = [record(PARENT)]
    assert batch.read(records) is records
    assert batch.traced(outputs) is outputs
    batch.dropped("no trace")


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "radiology")
    renamed = Site()
    for each, name in ((site, "imaging-reference"), (renamed, "radiology")):
        batch = each.tracer.batch()
        list(batch.read([record()]))
        batch.end(1)
        assert each.spans()["imaging-reference batch"].resource.attributes["service.name"] == name
    renamed.tracer.close()
