"""How far a plan is: told while it is made."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float | None], None]
"""Told what is being done, and what share of it is done; None where that is not known."""


def silent(_: str, __: float | None) -> None:
    """Progress that nobody watches."""
