"""The command line: `imaging-reference`, one file a command.

Rules of this room: argv, printing and exit codes, and nothing else prints. A command's module is imported
when it is called, and imports its engine when it runs, so that `--help` is quick. What goes wrong is one line
on standard error; only a mistake of ours shows a traceback, and no more of it than where it is.

    exit 0   done
         1   the broker, a topic or a folder is not as it must be; with `assemble --strict`, dead letters;
             `replay-diff`: references would change
         2   wrong use: options, settings, files that cannot be read
         3   nothing has the id that was asked for
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata

import click

from processors import hush
from processors.errors import Delayed, OperatorError

_COMMANDS = {
    "demo": "Show the whole thing at work, without Kafka or Docker.",
    "assemble": "Turn DICOM files or event files into references, without a broker.",
    "run": "Run the stream processor against Kafka.",
    "settings": "Print every setting with its default and reason.",
    "topics": "Create the topics, or check them.",
    "publish": "Send DICOM files or event files to the input topics.",
    "sink": "Bring the references to a FHIR server or a reporting session.",
    "source": "Feed the input topics from a folder or a neighbouring system.",
    "dead-letters": "List what was put aside, show it, put it back.",
    "explain": "Tell where a reference came from.",
    "replay-diff": "Tell which references would change if past input were folded anew.",
    "dashboard": "Serve a live web page of what is published, what waits and what was put aside.",
    "early-closes": "Report series that grew after they were closed, and how long to wait for them.",
    "render": "Draw the images of a reference, with what it means on them.",
}
_MISSING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


class _Commands(click.Group):
    """Imports a command's module when it is asked for; the list of commands needs none of them."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"processors.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(metadata.version("imaging-reference-processors"))
        ctx.exit()


@click.group(
    cls=_Commands,
    epilog="Example: imaging-reference demo --once",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def program() -> None:
    """DICOM arrival and report events on Kafka become FHIR imaging references, exactly once."""


def main() -> None:
    """Entry point: runs a command and ends the process with its exit code."""
    with hush.crashes():
        code = _outcome()
    sys.exit(code)


def _outcome() -> int:
    try:
        return program.main(prog_name="imaging-reference", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "imaging-reference"
        return _complain(f"{error.format_message()} See {where} --help.", error.exit_code)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except click.Abort:
        return _complain("interrupted", 130)
    except Delayed as error:
        return _complain(f"{error}: try again later", 1)
    except OperatorError as error:
        return _complain(str(error), error.exit_code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", 2 if isinstance(error, _MISSING) else 1)


def _complain(message: str, exit_code: int) -> int:
    click.echo("imaging-reference: " + " ".join(message.split()), err=True)
    return exit_code
