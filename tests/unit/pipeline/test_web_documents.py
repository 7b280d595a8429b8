from __future__ import annotations

from collections.abc import Iterator

import pytest

from processors import http_client
from processors.errors import DeadLetterCode, Refused
from processors.pipeline.web_documents import REST_S, WebDocuments
from tests.builders.web_server import Reply, WebServer, serving

RELATED = 'multipart/related; type="application/dicom"; boundary="b x"'
ONE = b"--b x\r\nContent-Type: application/dicom\r\n\r\nan\r\nobject\r\n--b x--\r\n"
TWO = ONE[: -len(b"--b x--\r\n")] + ONE
FLAKY = {"failures": 0}


def answer(path: str) -> Reply:
    if path.startswith("/to/"):
        return Reply(b"elsewhere", 302, {"Location": path.removeprefix("/to/")})
    if path == "/flaky":
        FLAKY["failures"] -= 1
        return Reply(b"busy", 503) if FLAKY["failures"] >= 0 else Reply(b"at last")
    return {
        "/1.dcm": Reply(b"an object"),
        "/chunked-by-closing": Reply(b"an object", length=-1),
        "/one": Reply(ONE, headers={"Content-Type": RELATED}),
        "/two": Reply(TWO, headers={"Content-Type": RELATED}),
        "/cut": Reply(ONE[:-20], headers={"Content-Type": RELATED}),
        "/short": Reply(b"an obj", length=9),
        "/empty": Reply(b""),
        "/zipped": Reply(b"x", headers={"Content-Encoding": "gzip"}),
        "/large": Reply(b"x" * 200),
        "/endless": Reply(b"x" * 200, length=-1),
        "/broken": Reply(b"", 500),
        "/circle": Reply(b"", 302, {"Location": "/circle"}),
        "/leaving": Reply(b"", 301, {"Location": "http://evil.example/1.dcm"}),
        "/to-a-file": Reply(b"", 301, {"Location": "file:///etc/passwd"}),
    }.get(path, Reply(b"", 404))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr(http_client, "FIRST_PAUSE_S", 0.001)
    with serving(answer) as server:
        yield server


@pytest.fixture
def web(server: WebServer) -> WebDocuments:
    return WebDocuments([f"127.0.0.1:{server.port}", "LOCALHOST"], 5.0)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/1.dcm", b"an object"),
        ("/chunked-by-closing", b"an object"),
        ("/one", b"an\r\nobject"),
        ("/to//1.dcm", b"an object"),
        ("/1.dcm#fragment", b"an object"),
    ],
)
def test_a_document_of_an_allowed_host(
    server: WebServer, web: WebDocuments, path: str, content: bytes
) -> None:
    assert web.fetch(server.url(path), 100) == content
    assert web.fetch(server.url(path, "LocalHost"), 100) == content
    _, headers = server.asked[0]
    assert headers["accept-encoding"] == "identity"
    assert headers["accept"].startswith('multipart/related; type="application/dicom"')
    assert not {"authorization", "cookie", "proxy-authorization"} & headers.keys()


@pytest.mark.parametrize(
    "uri",
    [
        "http://evil.example/1.dcm",
        "http://127.0.0.1:1/1.dcm",
        "http://127.0.0.1/1.dcm",
        "http://user:secret@localhost:{port}/1.dcm",
        "http://evil.example\\@localhost:{port}/1.dcm",
        "http://localhost.evil.example:{port}/1.dcm",
        "http://127.1:{port}/1.dcm",
        "http://[::ffff:127.0.0.1]:{port}/1.dcm",
        "http://[",
        "http://",
        "http:1.dcm",
        "https:\\\\localhost",
        "httpx://localhost:{port}/1.dcm",
        "http://localhost:{port}/leaving",
        "http://localhost:{port}/to-a-file",
        "http://localhost:{port}/to/http://127.0.0.1:1/1.dcm",
        "http://localhost:{port}/to/http://user:secret@localhost:{port}/1.dcm",
    ],
)
def test_another_host_is_refused_also_after_a_redirect(
    server: WebServer, web: WebDocuments, uri: str
) -> None:
    with pytest.raises(Refused) as refused:
        web.fetch(uri.format(port=server.port), 100)
    assert (refused.value.code, refused.value.tag) == (DeadLetterCode.DOCUMENT_REFUSED, "uri")
    assert "1.dcm" not in refused.value.message
    assert "/1.dcm" not in [path for path, _ in server.asked]


def test_without_allowed_hosts_nothing_is_fetched(server: WebServer) -> None:
    with pytest.raises(Refused) as refused:
        WebDocuments().fetch(server.url("/1.dcm"), 100)
    assert refused.value.code is DeadLetterCode.DOCUMENT_REFUSED
    assert server.asked == []


@pytest.mark.parametrize(
    "path", ["/missing", "/two", "/cut", "/short", "/empty", "/zipped", "/broken", "/circle"]
)
def test_what_the_server_does_not_give_is_unavailable(
    server: WebServer, web: WebDocuments, path: str
) -> None:
    with pytest.raises(Refused) as refused:
        web.fetch(server.url(path), 1000)
    assert refused.value.code is DeadLetterCode.DOCUMENT_UNAVAILABLE
    assert path not in refused.value.message


@pytest.mark.parametrize("path", ["/large", "/endless"])
def test_a_document_that_is_too_large(server: WebServer, web: WebDocuments, path: str) -> None:
    with pytest.raises(Refused) as refused:
        web.fetch(server.url(path), 199)
    assert refused.value.code is DeadLetterCode.TOO_LARGE
    assert len(web.fetch(server.url(path), 200)) == 200


def test_a_passing_failure_is_tried_again_and_a_lasting_one_rests_the_host(server: WebServer) -> None:
    now = [0.0]
    web = WebDocuments(["127.0.0.1"], 5.0, monotonic=lambda: now[0])
    FLAKY["failures"] = http_client.ATTEMPTS - 1
    assert web.fetch(server.url("/flaky"), 100) == b"at last"
    FLAKY["failures"] = http_client.ATTEMPTS
    with pytest.raises(Refused, match="answered 503"):
        web.fetch(server.url("/flaky"), 100)
    asked = len(server.asked)
    with pytest.raises(Refused, match="a moment ago") as refused:
        web.fetch(server.url("/1.dcm"), 100)
    assert refused.value.code is DeadLetterCode.DOCUMENT_UNAVAILABLE
    assert len(server.asked) == asked
    now[0] = REST_S
    assert web.fetch(server.url("/1.dcm"), 100) == b"an object"


def test_a_server_that_is_not_there_is_unavailable(web: WebDocuments) -> None:
    with pytest.raises(Refused) as refused:
        web.fetch("http://localhost:1/1.dcm", 100)
    assert refused.value.code is DeadLetterCode.DOCUMENT_UNAVAILABLE
