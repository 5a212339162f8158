"""How far a long verb is, on standard error, where somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def progress_bar(*, show: bool) -> Iterator[Callable[[str, float | None], None]]:
    """A bar told what is being done and what share of that is done; None where nobody knows.

    Args:
        show: False for no bar; nor is there one where standard error is no terminal.
    """
    if not show or not sys.stderr.isatty():
        yield lambda _what, _share: None
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None)

        def told(what: str, share: float | None) -> None:
            bar.update(
                task, description=what, total=None if share is None else 1.0, completed=share
            )

        yield told
