"""How a verb ends that cannot do what was asked."""

from __future__ import annotations

WRONG_INPUT = 2
INFEASIBLE = 3


class Failure(Exception):  # noqa: N818  (it is the outcome, not an error of ours)
    """A message for the user and the exit status: 2 wrong input, 3 infeasible."""

    def __init__(self, message: str, status: int = WRONG_INPUT) -> None:
        super().__init__(message)
        self.status = status
