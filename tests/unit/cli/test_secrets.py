"""What a site keeps to itself never shows: in no command, at no log level, in no complaint."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import click
import pytest

from processors.cli import program
from tests.unit.cli.test_program import commands

Call = Callable[..., tuple[int, str, str]]
PREFIX = "IMAGING_REFERENCE__"
SECRET = "s3cret-"
IN_THE_ENVIRONMENT = {
    f"{PREFIX}{name}": f"{SECRET}{number}"
    for number, name in enumerate(
        [
            "KAFKA__SASL_PASSWORD",
            "KAFKA__SSL_KEY_PASSWORD",
            "KAFKA__SSL_KEYSTORE_PASSWORD",
            "KAFKA__SASL_OAUTHBEARER_CLIENT_SECRET",
            "KAFKA__SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_PASSPHRASE",
            "ORTHANC__PASSWORD",
            "DICOMWEB__PASSWORD",
            "DICOMWEB__TOKEN",
            "FHIRCAST__TOKEN",
        ]
    )
} | {f"{PREFIX}SCHEMA_REGISTRY__USER_INFO": f"me:{SECRET}info"}
PLAIN = {
    "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA__SASL_USERNAME": "processor",
    "KAFKA__DEBUG": "all",
    "ORTHANC__USER": "me",
    "DICOMWEB__USER": "me",
    "SCHEMA_REGISTRY__URL": "http://127.0.0.1:1",
    "SCHEMA_REGISTRY__FACTS": "confluent",
    "FHIR_SERVER__URL": "http://127.0.0.1:1/fhir",
    "FHIRCAST__URL": "http://127.0.0.1:1/hub",
    "FHIRCAST__TOPIC": "session",
    "DIMSE__PORT": "0",
    "HL7__PORT": "0",
    "HTTP__PORT": "0",
    "LOGGING__LEVEL": "debug",
}
REFERENCE = "00000000-0000-5000-8000-000000000000"
CALLS = {
    "assemble": ["{event}", "--analytics", "facts.ndjson"],
    "run": [],
    "topics create": [],
    "topics check": [],
    "topics grow": ["--partitions", "24"],
    "publish": ["{event}"],
    "sink fhir": [],
    "sink fhircast": [],
    "source folder": ["."],
    "source dimse": [],
    "source orthanc": [],
    "source hl7": [],
    "source dicomweb": [],
    "source fhircast": [],
    "dead-letters list": [],
    "dead-letters show": ["0/1"],
    "dead-letters redrive": [],
    "explain": [REFERENCE],
    "dashboard": ["--host", "0.0.0.0", "--port", "0", "--token-file", "{token}"],
    "early-closes": [],
    "replay-diff": ["--from", "2026-01-01"],
}
NO_SETTINGS = {"demo", "settings", "render", "topics describe"}
"""Commands that read none."""


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    """Commands that run until a signal comes set its handler; `run` calms the collector."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    threshold = gc.get_threshold()
    yield
    for each, handler in handlers.items():
        signal.signal(each, handler)
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A site with every secret there is: in the environment, and in files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("processors.stream.broker.ANSWER_S", 0.3)
    stopped = threading.Event()
    stopped.set()
    monkeypatch.setattr("processors.stopping.until_signalled", lambda: nullcontext(stopped))
    for name, value in (IN_THE_ENVIRONMENT | {PREFIX + n: v for n, v in PLAIN.items()}).items():
        monkeypatch.setenv(name, value)
    files = {name: tmp_path / name for name in ("key", "token")}
    for name, path in files.items():
        path.write_text(f"{SECRET}file-{name}-0123456789abcdef\n", "utf-8")
    monkeypatch.setenv(f"{PREFIX}ANALYTICS__PSEUDONYM_KEY_FILE", str(files["key"]))
    monkeypatch.setenv(f"{PREFIX}FHIR_SERVER__TOKEN_FILE", str(files["token"]))
    event = tmp_path / "event.json"
    event.write_text('{"event": "instance.arrived", "patient_id": "1"}', "utf-8")
    return {**files, "event": event}


def test_every_command_with_settings_is_called_here() -> None:
    groups = set(program.list_commands(click.Context(program)))
    leaves = {" ".join(path) for path in commands(program)}
    leaves -= {each for each in groups if any(leaf.startswith(f"{each} ") for leaf in leaves)}
    assert leaves == CALLS.keys() | NO_SETTINGS


@pytest.mark.parametrize("name", CALLS)
def test_no_command_tells_a_secret(
    call: Call, kept: dict[str, Path], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    _, out, err = call(*name.split(), *(each.format(**kept) for each in CALLS[name]))
    assert out + err
    assert SECRET not in out + err + caplog.text


def test_print_config_masks_each_and_shows_where_files_are(call: Call, kept: dict[str, Path]) -> None:
    code, out, err = call("run", "--print-config")
    assert (code, err) == (0, "")
    assert SECRET not in out
    assert out.count("********") == len(IN_THE_ENVIRONMENT)
    assert f'token_file = "{kept["token"]}"' in out


@pytest.mark.parametrize(
    "file",
    [
        f'[kafka]\nsasl.password = ["{SECRET}"]\n',
        f'[kafka]\n"sasl.password" = "{SECRET}\n',
        f'[orthanc]\npasword = "{SECRET}"\n',
        f'[dicomweb]\ntoken = {{ of = "{SECRET}" }}\n',
        f'[orthanc]\nurl = "http://me:{SECRET}@127.0.0.1:1"\n',
        f'[dicomweb]\nurl = "http://me:{SECRET}@127.0.0.1:1"\n',
        f'[fhir_server]\nurl = "http://me:{SECRET}@127.0.0.1:1"\n',
        f'[schema_registry]\nurl = "http://me:{SECRET}@127.0.0.1:1"\nfacts = "confluent"\n',
        f'[kafka]\nbootstrap.servers = "127.0.0.1:1"\nsecurity.protocol = "ssl"\nssl.key.pem = "{SECRET}"\n',
    ],
)
@pytest.mark.parametrize("command", ["run", "source orthanc", "source dicomweb", "sink fhir"])
def test_a_secret_in_the_wrong_place_is_not_quoted(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, command: str
) -> None:
    monkeypatch.setattr("processors.stream.broker.ANSWER_S", 0.1)
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "site.toml"
    config.write_text(file, "utf-8")
    code, out, err = call(*command.split(), "--config", str(config))
    assert code
    assert SECRET not in out + err
