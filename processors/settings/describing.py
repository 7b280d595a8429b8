"""Every setting as a Markdown page: name, type, default and reason, as `sections` and `neighbours` say them.

Rules of this file: nothing is said here that they do not say. A reason is the string below its field,
which Python drops when it compiles, so it is read from the source.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from processors.settings import neighbours, sections
from processors.settings.kinds import Section
from processors.settings.sections import Settings

_HEAD = """# Settings

Every setting with its type, its default and the reason for it, as `imaging-reference settings` prints them.

In the file given by `--config` (TOML) each heading is a table. In the environment, `port` of `[http]` is
`IMAGING_REFERENCE__HTTP__PORT`, a list is separated by commas, and one entry of a table is
`IMAGING_REFERENCE__IDENTITY__ISSUERS__HOSPITAL`.
"""
_WORDS = {str: "text", bool: "true or false", int: "whole number", float: "number"}
_BOUNDS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}", "max_length": "at most {} characters"}

Reasons = dict[str, dict[str, str]]
"""Class → field, or "" for the class itself → what the source says of it."""


def described(section: str = "") -> str:
    """The page, or of one section its part alone. Raises KeyError for a section that there is not."""
    reasons = _reasons()
    fields = {each.name: each for each in msgspec.structs.fields(Settings)}
    if section:
        return "\n".join(_section(section, fields[section].type, reasons)) + "\n"
    parts = [line for name, field in fields.items() for line in ("", *_section(name, field.type, reasons))]
    return _HEAD + "\n".join(parts) + "\n"


def _section(name: str, kind: Any, reasons: Reasons) -> Iterator[str]:
    """Heading, reason and table of a section, then those of the tables in its lists."""
    if not _is_section(kind):
        yield from (f"## [{name}]", "", reasons[Settings.__name__][name])
        return
    yield from (f"## [{name}]", "", reasons[kind.__name__][""], "", *_table(kind, reasons))
    for field in msgspec.structs.fields(kind):
        row = (*get_args(field.type), None)[0]
        if _is_section(row):
            yield from ("", f"### [[{name}.{field.name}]]", "", reasons[row.__name__][""], "")
            yield from _table(row, reasons)


def _table(kind: type[Section], reasons: Reasons) -> Iterator[str]:
    yield "| setting | type | default | what it does, and why |"
    yield "|---|---|---|---|"
    for field in msgspec.structs.fields(kind):
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        shown = "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"
        cells = (f"`{field.name}`", _type(field.type), shown, reasons[kind.__name__][field.name])
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _type(kind: Any) -> str:
    """A type as the writer of a settings file calls it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f'`"{each}"`' for each in arguments)
    if origin is Annotated:
        bounds = [_BOUNDS[name].format(f"{value:_}") for name, value in _limits(arguments[1])]
        return ", ".join([_type(arguments[0]), *bounds])
    if origin is tuple and arguments[-1] is not ...:
        return f"[{', '.join(map(_type, arguments))}]"
    if origin in (tuple, dict):
        item = arguments[0] if origin is tuple else arguments[-1]
        return f"{'list' if origin is tuple else 'table'} of {'tables' if _is_section(item) else _type(item)}"
    if arguments:  # optional
        return _type(arguments[0])
    return _WORDS[kind]


def _limits(meta: msgspec.Meta) -> Iterator[tuple[str, int | float]]:
    for name in _BOUNDS:
        value = getattr(meta, name)
        if value is not None:
            yield name, value


def _reasons() -> Reasons:
    """What stands below each class and field; of what says nothing, nothing."""
    found: Reasons = {}
    for node in (node for each in (sections, neighbours) for node in ast.parse(inspect.getsource(each)).body):
        if isinstance(node, ast.ClassDef):
            said = {"": _one_line(ast.get_docstring(node) or "")}
            for field, below in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    said[field.target.id] = _one_line(_string(below))
            found[node.name] = said
    return found


def _string(node: ast.stmt | None) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
