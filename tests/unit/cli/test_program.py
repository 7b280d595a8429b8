"""The command line as its user meets it: help, wrong use, exit codes, one line an error."""

import io
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import click
import pytest

from processors.cli import program

Call = Callable[..., tuple[int, str, str]]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *commands(program)], ids=" ".join)
def test_every_help_has_one_example_that_names_the_command(call: Call, path: tuple[str, ...]) -> None:
    code, out, err = call(*path, "--help")
    assert (code, err) == (0, "")
    assert out.count("Example: ") == 1
    assert f"Example: {' '.join(['imaging-reference', *path])}" in out


def test_help_imports_no_engine() -> None:
    """So that it is quick; each of these takes as long as all the rest."""
    script = (
        "import sys; from processors.cli import program\n"
        "program.main(['assemble', '--help'], standalone_mode=False)\n"
        "heavy = set('pydicom fhir fastavro msgspec confluent_kafka rich structlog pydantic'.split())\n"
        "print('heavy:', *(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:"


def test_no_command_shows_the_help_and_fails(call: Call) -> None:
    code, out, err = call()
    assert (code, out) == (2, "")
    assert "Commands:" in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["rum"], "No such command 'rum'"),
        (["run", "--wrkers", "2"], "--wrkers"),
        (["run", "--workers", "none"], "'none' is not a valid integer"),
        (["run", "--workers", "0"], "0 is not in the range"),
        (["assemble"], "Missing argument 'PATH...'"),
        (["assemble", "no-such-file"], "'no-such-file' does not exist"),
        (["assemble", "--release", "R3", "."], "'R3' is not"),
        (["publish", "--rate", "0", "."], "--rate"),
        (["topics", "destroy"], "No such command 'destroy'"),
        (["demo", "--port", "70000"], "--port"),
        (["early-closes", "--days", "nan"], "'--days': is no number of days"),
        (["run", "--config", "no-such-file"], "no-such-file: cannot be read: No such file or directory"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(call: Call, arguments: list[str], complaint: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.startswith("imaging-reference: ")
    assert err.count("\n") == 1


def test_a_mistake_in_the_settings_names_file_and_key(call: Call, tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text("[completeness]\nquite_s = 1\n")
    code, out, err = call("run", "--print-config", "--config", str(config))
    assert (code, out) == (2, "")
    assert err == (
        f"imaging-reference: {config}: unknown key in [completeness]: quite_s (did you mean quiet_s?)\n"
    )


@pytest.mark.parametrize(
    ("kafka", "complaint"),
    [
        (
            'bootstrap.servers = "b:1"\n"no.such.thing" = "x"',
            'No such configuration property: "no.such.thing"',
        ),
        ("", "kafka.bootstrap.servers is not set"),
    ],
)
def test_the_live_page_is_not_served_where_no_broker_can_ever_be_asked(
    call: Call, tmp_path: Path, kafka: str, complaint: str
) -> None:
    config = tmp_path / "site.toml"
    config.write_text(f"[kafka]\n{kafka}\n")
    code, out, err = call("dashboard", "--port", "0", "--config", str(config))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert complaint in err


def test_print_config_shows_what_holds_without_secrets(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGING_REFERENCE__KAFKA__SASL_PASSWORD", "s3cret")
    monkeypatch.setenv("IMAGING_REFERENCE__COMPLETENESS__QUIET_S", "7")
    code, out, err = call("run", "--print-config")
    assert (code, err) == (0, "")
    assert tomllib.loads(out)["completeness"]["quiet_s"] == 7
    assert "s3cret" not in out


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "out/f"), 2, "out/f: No such file or directory"),
        (PermissionError(13, "Permission denied", "in"), 2, "in: Permission denied"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (click.Abort(), 130, "interrupted"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch, raised: Exception, code: int, line: str
) -> None:
    def refuse(**_: object) -> None:
        raise raised

    monkeypatch.setattr("processors.cli.run.command.callback", refuse)
    assert call("run") == (code, "", f"imaging-reference: {line}\n")


@pytest.mark.parametrize(
    ("token", "complaint"), [(b"short", "at least 16 characters"), (b"\xff" * 20, "of ASCII only")]
)
def test_a_token_that_cannot_be_one(call: Call, tmp_path: Path, token: bytes, complaint: str) -> None:
    (tmp_path / "token").write_bytes(token)
    code, out, err = call("dashboard", "--host", "0.0.0.0", "--token-file", str(tmp_path / "token"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert complaint in err


def test_version_is_the_distribution_s() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "processors", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == metadata.version("imaging-reference-processors")


def test_a_reader_that_leaves_early_causes_no_words() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "processors", "run", "--print-config"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert isinstance(process.stdout, io.BufferedReader)
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 1
