"""AsyncAPI's own parser, of npm, kept in `.broker/` beside the other things that tests fetch.

Rules of this file: fetching it and asking it; nothing of the product.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.broker import CACHE, fetch

PACKAGES = ("@asyncapi/parser@3.6.3", "@asyncapi/avro-schema-parser@3.0.24")
FOLDER = CACHE.parent / "asyncapi-3.6.3"
_SCRIPT = """
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";
const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { diagnostics } = await parser.parse(readFileSync(0, "utf8"));
const errors = diagnostics.filter((each) => each.severity === 0);
console.log(JSON.stringify(errors.map((each) => `${each.path.join(".")}: ${each.message}`)));
"""


class NoParser(Exception):
    """The text says what to install."""


def complaints(document: str) -> list[str]:
    """What makes it no valid AsyncAPI document. Raises NoParser."""
    script = _fetched()
    done = subprocess.run(
        ["node", script.name], cwd=FOLDER, input=document, capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(done.stdout)
    return found


def _fetched() -> Path:
    script = FOLDER / "complaints.mjs"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NoParser("no AsyncAPI parser for the tests: apt install nodejs npm")
        partial = CACHE.parent / f"parser-partial-{os.getpid()}"
        partial.mkdir(parents=True)
        (partial / script.name).write_text(_SCRIPT, "utf-8")
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
        if complaint := fetch(command, partial):
            raise NoParser(f"npm could not fetch {PACKAGES[0]}: {complaint}")
        partial.rename(FOLDER)
    return script
