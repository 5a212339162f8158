"""Reading the project's Markdown: headings, links, code."""

from __future__ import annotations

import re
from pathlib import Path

from .tree import DOCS, ROOT

_FENCE = re.compile(r"^(`{3,})[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Every page that a person reads: at the root, in docs and examples."""
    found = list(ROOT.glob("*.md"))
    for folder in (DOCS, ROOT / "examples", ROOT / "bench", ROOT / "changes"):
        found += folder.rglob("*.md")
    return sorted(found)


def prose(text: str) -> str:
    """The text without its blocks of code."""
    return _FENCE.sub("", text)


def blocks(text: str) -> list[str]:
    """The contents of its blocks of code."""
    return [match[2] for match in _FENCE.finditer(text)]


def spans(text: str) -> list[str]:
    """The contents of its inline code."""
    return _CODE.findall(prose(text))


def links(text: str) -> list[str]:
    """The targets of its links and pictures."""
    plain = _CODE.sub("", prose(text))
    return [a or b for a, b in _LINK.findall(plain)]


def anchors(text: str) -> set[str]:
    """What `#...` may name in it: its headings, as they are turned into anchors on the web."""
    found: set[str] = set()
    for title in re.findall(r"^#{1,6} +(.+?) *#*$", prose(text), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", title.lower().replace("`", ""))
        slug, number = kept.replace(" ", "-"), 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def table_rows(text: str, *head: str) -> list[tuple[str, ...]]:
    """Rows of every table with this head."""
    rows: list[tuple[str, ...]] = []
    inside = False
    for line in text.splitlines():
        cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        if not line.startswith("|"):
            inside = False
        elif cells == head:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            rows.append(cells if len(cells) == len(head) else (*cells, ""))
    return rows
