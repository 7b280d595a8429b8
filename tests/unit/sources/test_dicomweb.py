"""An archive whose answers are odd: one line that says what to look at."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import pytest

from processors.errors import SettingsError, Unavailable
from processors.http_client import NotFetched
from processors.settings.neighbours import Dicomweb
from processors.sources.dicomweb import DicomwebSource, Selection
from processors.sources.forwarding import Forwarder
from processors.sources.ledger import Ledger
from processors.sources.neighbours import client_of
from processors.stream.input_producer import InputProducer
from tests.builders.web_server import Reply, serving


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"Doe", 404), "the server answered 404: check dicomweb.url"),
        (Reply(b"Doe", 500), "the server answered 500: check dicomweb.url"),
        (Reply(b"Doe", 403), "the server answered 403: check [dicomweb]"),
        (Reply(b"Doe", 200), "the answer is no DICOM JSON: check dicomweb.url"),
        (
            Reply(b"", 302, {"Location": "http://elsewhere.example/Doe"}),
            "the host is not one of those allowed",
        ),
        (Reply(b"", 302, {"Location": "file:///etc/passwd"}), "http: and https: with a host are fetched"),
    ],
)
def test_what_the_archive_answers_instead_of_studies(tmp_path: Path, reply: Reply, said: str) -> None:
    with serving(lambda _: reply) as server:
        forwarder = Forwarder("dicomweb", cast("InputProducer", None), threading.Event())
        source = DicomwebSource(Dicomweb(url=server.url("")), Ledger(tmp_path, "test"), forwarder)
        with pytest.raises(Unavailable) as failed:
            source.run(Selection())
    assert str(failed.value).startswith(said)
    assert "Doe" not in str(failed.value)


@pytest.mark.parametrize(
    "url", ["", "archive", "ftp://x", "http://", "http://x:port", "http://[::1", "http://me:word@x"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^dicomweb\.url: expected"):
        client_of("dicomweb", url, 1.0)


def test_an_address_of_ipv6() -> None:
    with pytest.raises(NotFetched, match="cannot be read from"):
        client_of("dicomweb", "http://[::1]:9/dicom-web", 1.0).get("http://[::1]:9/dicom-web/studies", 1)
