"""Settings from a TOML file and the environment.

Rules of this file: every complaint is one line that names the key, where it was read, and what is allowed;
values are never quoted, since they may be secrets. The environment wins over the file.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from processors.errors import SettingsError
from processors.settings.sections import Settings

PREFIX = "IMAGING_REFERENCE__"
_SECTIONS = {each.name: each.type for each in msgspec.structs.fields(Settings)}

Table = dict[str, Any]


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Effective settings: defaults, then the file, then `IMAGING_REFERENCE__SECTION__KEY`.

    Raises SettingsError for an unreadable file, an unknown key, a wrong type or an impossible value.
    """
    unfit: list[_Unfit] = []
    tables = _from_file(path, unfit) if path else {}
    for name in sorted(environ):
        if name.startswith(PREFIX):
            try:
                _override(tables, name, environ[name])
            except _Unfit as failed:
                unfit.append(failed)
    try:
        return msgspec.convert(tables, Settings)
    except msgspec.ValidationError as error:
        raise next(each for each in unfit if f"`$.{each.section}`" in str(error)) from None


class _Unfit(SettingsError):
    """A value is right by itself and does not go with the others of its section, which may still come."""

    def __init__(self, complaint: str, section: str) -> None:
        super().__init__(complaint)
        self.section = section


# ---- the file -----------------------------------------------------------------------------------------


def _from_file(path: Path, unfit: list[_Unfit]) -> Table:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is no UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is no TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path}: is nested too deeply") from None
    for section, table in tables.items():
        kind = _SECTIONS.get(section) or _unknown("section", section, _SECTIONS, str(path))
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: {section}: expected a table [{section}]")
        tables[section] = _flattened(table) if section == "kafka" else table
        try:
            _checked(kind, tables[section], section, str(path))
        except _Unfit as failed:
            unfit.append(failed)
    return tables


def _flattened(table: Table, prefix: str = "") -> Table:
    """TOML reads `bootstrap.servers = …` without quotes as nested tables; librdkafka's names are flat."""
    flat: Table = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flattened(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


# ---- the environment ----------------------------------------------------------------------------------


def _override(tables: Table, name: str, text: str) -> None:
    """Put one variable's value into the tables; `…__KEY__NAME` sets one entry of a mapping."""
    where = f"environment variable {name}"
    section, _, rest = name.removeprefix(PREFIX).partition("__")
    section = section.lower()
    kind = _SECTIONS.get(section) or _unknown("section", section, _SECTIONS, where)
    table = tables.setdefault(section, {})
    if section == "kafka":
        if not rest:
            raise SettingsError(
                f"{where}: names no property of librdkafka, as IMAGING_REFERENCE__KAFKA__CLIENT_ID"
            )
        table[rest.lower().replace("_", ".")] = text
        return
    key, _, entry = rest.partition("__")
    types = {each.name: each.type for each in msgspec.structs.fields(kind)}
    allowed = types.get(key.lower()) or _unknown(f"key in [{section}]", key.lower(), types, where)
    if entry:
        held = table.get(key.lower())  # of the file; where it is no mapping, the check below says so
        table[key.lower()] = {**(held if isinstance(held, dict) else {}), entry: text}
    else:
        table[key.lower()] = _typed(allowed, text)
    _checked(kind, table, section, where)


def _typed(kind: Any, text: str) -> Any:
    """Text of the environment as the setting's own type where it can be; a list is separated by commas."""
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if get_origin(kind) is Annotated:  # its limits are checked later, with the key's name
        kind = get_args(kind)[0]
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return text


# ---- checking -----------------------------------------------------------------------------------------


def _checked(kind: Any, table: Table, section: str, where: str) -> Any:
    """Convert a table, or say which key of it is wrong."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        steps = [step for step in re.split(r"[.\[\]`]+", path) if step]
        together = not steps and isinstance(error.__cause__, ValueError)
    if unknown := re.search(r"unknown field `(.*)`", message):
        for step in steps:
            kind = _type_within(kind, step)
        place = ".".join([section, *(step for step in steps if not step.isdigit())])
        names = [each.name for each in msgspec.structs.fields(kind)]
        _unknown(f"key in [{place}]", unknown[1], names, where)
    key = ".".join(part for part in (section, *steps) if part != "...")
    for step in steps:
        kind = _type_within(kind, step)
    complaint = f"{where}: {key}: {_allowed(kind, message)}"
    raise _Unfit(complaint, section) if together else SettingsError(complaint)


def _type_within(kind: Any, step: str) -> Any:
    """Type of a field of a structure, or of the members of a list or mapping."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return next(each.type for each in msgspec.structs.fields(kind) if each.name == step)
    arguments = get_args(kind)
    return arguments[-1] if get_origin(kind) is dict else arguments[0]


def _allowed(kind: Any, message: str) -> str:
    if get_origin(kind) is Literal:
        return f"expected one of {', '.join(map(repr, get_args(kind)))}"
    return message[:1].lower() + message[1:].replace("`", "")


def _unknown(what: str, name: str, names: Iterable[str], where: str) -> Any:
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}"
    raise SettingsError(f"{where}: unknown {what}: {name} ({hint})")
