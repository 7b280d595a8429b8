"""Known vulnerabilities of what requirements.lock holds: `python -m tests.house.audit`.

Rules of this file: pip-audit asks (PyPI's advisories, by name and version), this decides. A finding is exit
code 1. No answer is a line that says so and exit code 0, since a change is not at fault for a service that is
away; a package that the service does not know counts as not answered, never as clean.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[2] / "requirements.lock"
ANSWER_S = 10
"""For one package; pip-audit keeps what it was told for the next run."""
PATIENCE_S = 120

Report = dict[str, Any]


def asked(requirements: Path) -> Report:
    """pip-audit's own report; empty if it was given no answer. Nothing is installed for it."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--disable-pip"]
    command += ["--require-hashes", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(
            [*command, "--timeout", str(ANSWER_S)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        return dict(json.loads(done.stdout))
    except (subprocess.TimeoutExpired, ValueError):
        return {}


def first_of(lock: str) -> str:
    """The first package with its hashes: where that is not known, the others need not be asked for."""
    return re.split(r"\n(?=\w)", lock, maxsplit=1)[0] + "\n"


def verdict(report: Report) -> tuple[list[str], int]:
    """Lines for a person, and the exit code."""
    packages = report.get("dependencies", [])
    answered = [each for each in packages if "skip_reason" not in each]
    flaws = [
        f"{each['name']} {each['version']}: {flaw['id']}, mended in "
        + (", ".join(flaw["fix_versions"]) or "no version yet")
        for each in answered
        for flaw in each["vulns"]
    ]
    if flaws:
        return flaws, 1
    if not answered:
        return ["vulnerabilities: not looked up, no advisory service answers from here"], 0
    left = len(packages) - len(answered)
    return [f"vulnerabilities: none known of {len(answered)} packages, {left} are unknown to the service"], 0


def main() -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as probe:
        probe.write(first_of(LOCK.read_text("utf-8")))
        probe.flush()
        report = asked(Path(probe.name))
    if any("skip_reason" not in each for each in report.get("dependencies", [])):
        report = asked(LOCK)
    lines, code = verdict(report)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
