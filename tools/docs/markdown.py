"""Small pieces of Markdown that the generated pages share."""

from __future__ import annotations

from collections.abc import Sequence

MARK = "<!-- Made by `make docs`. Do not edit: change what it is made from. -->"


def page(title: str, *parts: str) -> str:
    """A page: title, mark, parts."""
    return "\n\n".join([f"# {title}", MARK, *(part.strip("\n") for part in parts)]) + "\n"


def cell(text: str) -> str:
    """A text that may stand in a table."""
    return " ".join(text.replace("|", "\\|").split())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(text) for text in line) + " |" for line in lines)


def block(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"
