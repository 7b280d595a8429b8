"""Traces as a collector receives them: OTLP over HTTP from the running program, and what readers are told."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import pytest
from msgspec.structs import replace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processors.settings import printable
from processors.settings.sections import Tracing
from tests.integration.desk import STUDY, Desk, image
from tests.integration.site import Site, until

TRACE, SENDER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Takes what is exported to /v1/traces, as OTLP 1.x has it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def spans(self, name: str) -> list[tuple[str, Span]]:
        """With the name of their service."""
        found = []
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                said = {each.key: each.value.string_value for each in resource.resource.attributes}
                spans = [span for scope in resource.scope_spans for span in scope.spans]
                found += [(said["service.name"], span) for span in spans if span.name == name]
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                packed = self.headers["Content-Encoding"] == "gzip"
                if self.path == "/v1/traces":
                    bodies.append(gzip.decompress(body) if packed else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def traced(site: Site, endpoint: str) -> Desk:
    desk = Desk(site)
    settings = replace(desk.settings, tracing=Tracing(enabled=True, endpoint=endpoint))
    desk.config.write_text(printable(settings), "utf-8")
    return desk


def test_a_reference_is_traced_from_its_input_to_its_readers(site: Site, collector: Collector) -> None:
    desk = traced(site, collector.url)
    header = [("traceparent", f"00-{TRACE}-{SENDER}-01".encode())]
    known = {"number_of_series_related_instances": 2}
    with desk.run() as running:
        desk.send("instances", [(-1, STUDY.encode(), image(1, n, **known), header) for n in (1, 2)])
        until(lambda: collector.spans("imaging-reference.published"), "exported", running)
        assert running.stop() == 0
        log = "\n".join(running.lines())

    ((service, publication),) = collector.spans("imaging-reference.published")
    assert (service, publication.trace_id.hex(), publication.parent_span_id.hex()) == (
        "imaging-reference",
        TRACE,
        SENDER,
    )
    (link,) = publication.links
    batches = {span.span_id: span for _, span in collector.spans("imaging-reference batch")}
    batch = batches[link.span_id]
    assert [each.span_id.hex() for each in batch.links] == [SENDER]
    assert batch.start_time_unix_nano < publication.start_time_unix_nano
    assert publication.end_time_unix_nano <= batch.end_time_unix_nano
    site.settled()
    carried = f"00-{TRACE}-{publication.span_id.hex()}-01".encode()
    for role in ("fhir", "analytics"):
        (seen,) = site.read(role)
        assert seen.headers["traceparent"] == carried
    assert b"SECRET" not in b"".join(collector.bodies)
    assert "opentelemetry" not in log.lower()


def test_a_collector_that_is_away_holds_nothing_up(site: Site) -> None:
    desk = traced(site, "http://127.0.0.1:9")
    with desk.run() as running:
        desk.send("instances", [(-1, STUDY.encode(), image(1, 1, number_of_series_related_instances=1), [])])
        until(lambda: site.read("fhir"), "published", running)
        assert running.stop() == 0
        assert not running.said("Traceback")
