"""Make the generated pages and schemas again, or say which are stale.

    python tools/docs/generate.py [--check] [--to DIR]

What they are made from: the fields of the cloud file and the codes of its mistakes
(`neocloud.spec`), the verbs (`neocloud.cli`), the gateway's routes
(`neocloud.gateway.pages.openapi`), the records that are laid down for other programs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import error_page
import field_page
import markdown
import msgspec
import schema_files
import verb_page

from neocloud.gateway.pages.openapi import document

ROOT = Path(__file__).resolve().parents[2]

_PAGES = {
    "cloud-file": "every field of the cloud file: type, unit, default and where it comes from",
    "errors": "every mistake in a cloud file: code, example, remedy",
    "cli": "every verb with its options",
}


def _index() -> str:
    rows = [[f"[{name}]({name}.md)", what] for name, what in _PAGES.items()]
    return markdown.page(
        "Reference",
        markdown.table(["page", "for"], rows),
        "What the gateway speaks, as OpenAPI 3.1: [openapi.json](openapi.json), and from a running "
        "one `GET /openapi.json`, with the names of its models.",
        "Schemas of the files that are read and written: `schemas/`.",
    )


def _openapi() -> str:
    return msgspec.json.format(document(), indent=1).decode() + "\n"


FILES: dict[str, Callable[[], str]] = {
    "docs/reference/README.md": _index,
    "docs/reference/cloud-file.md": field_page.render,
    "docs/reference/errors.md": error_page.render,
    "docs/reference/cli.md": verb_page.render,
    "docs/reference/openapi.json": _openapi,
    **{
        f"schemas/{name}.schema.json": partial(schema_files.render, name)
        for name in schema_files.SCHEMAS
    },
}
"""By path from the project's root."""


def stale(folder: Path) -> list[str]:
    """Paths whose file is missing or differs from what would be made now."""
    found = []
    for path, render in FILES.items():
        file = folder / path
        if not file.is_file() or file.read_text(encoding="utf-8") != render():
            found.append(path)
    return found


def write(folder: Path) -> None:
    """Make all files."""
    for path, render in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(), encoding="utf-8")


def main() -> None:
    """Read the arguments; write, or check and end with status 1 if anything is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--to", type=Path, default=ROOT, help="folder instead of the project's")
    arguments = parser.parse_args()
    if not arguments.check:
        write(arguments.to)
        return
    if found := stale(arguments.to):
        print("\n".join(f"{path} is stale: run `make docs`" for path in found))
        sys.exit(1)


if __name__ == "__main__":
    main()
