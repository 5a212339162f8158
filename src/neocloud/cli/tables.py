"""How tables and numbers look on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table


def console() -> Console:
    """Standard output; wide enough for our tables where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False, soft_wrap=False)


def table(title: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> Table:
    """A plain table; each column is (heading, `left`, `right` or `wrap`: left, broken first)."""
    made = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for heading, side in columns:
        justify: JustifyMethod = "right" if side == "right" else "left"
        made.add_column(heading, justify=justify, no_wrap=side != "wrap")
    for row in rows:
        made.add_row(*row)
    return made


def counted(number: int, noun: str) -> str:
    """A number and what it counts: `1 request`, `2,000 requests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def significant(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, without an exponent."""
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    number = float(text)
    if abs(number) >= 1:
        return f"{number:,.0f}"
    return f"{number:.{digits + 6}f}".rstrip("0").rstrip(".")
