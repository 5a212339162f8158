"""docs/reference/cloud-file.md: every field of the cloud file, from the fields' descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import markdown

from neocloud.spec import Cloud, Described, described

_INTRO = """\
All fields of `cloud.yaml`. `NAME` in a path stands for a name of your own, `[]` for each item of a
list. A field without a default is required. Where a default comes from a source, the last column
names it; `assumption` says that nobody measured it, so check it against your own cloud. A field
that is checked, but not used yet, says so; so does `neocloud validate` where a file has it.

A small file to start from: `neocloud init`. What a mistake looks like: [errors](errors.md). For
completion in an editor: [schemas/cloud.schema.json](../../schemas/cloud.schema.json), which
`neocloud schema --out cloud.schema.json` writes; an editor with a YAML language server reads it
where the file begins with

    # yaml-language-server: $schema=cloud.schema.json

Every field in use, with comments:
[examples/reference/cloud.yaml](../../examples/reference/cloud.yaml)."""


def render() -> str:
    """The whole page."""
    parts = [_INTRO]
    for path, record in _records(Cloud, ""):
        title = f"`{path}`" if path else "The whole file"
        parts += [f"## {title}", _meaning(record), _table(path, record)]
    return markdown.page("The cloud file", *parts)


def _records(record: type[Any], path: str) -> Iterator[tuple[str, type[Any]]]:
    """A record with its path, then those inside it, in the order of the file."""
    yield path, record
    for field in described(record):
        for more, inner in field.kind.inner():
            yield from _records(inner, _join(path, field.name) + more)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _meaning(record: type[Any]) -> str:
    return (record.__doc__ or "").partition("\n")[0]


def _table(path: str, record: type[Any]) -> str:
    return markdown.table(
        ["path", "type", "unit", "default", "meaning", "where the default comes from"],
        [_row(path, field) for field in described(record)],
    )


def _row(path: str, field: Described) -> list[str]:
    return [
        f"`{_join(path, field.name)}`",
        field.kind.label,
        field.unit,
        "**required**" if field.required else field.default,
        field.full_meaning,
        "" if field.required else field.origin,
    ]
