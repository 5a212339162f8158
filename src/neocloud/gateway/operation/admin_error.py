"""Why a call of the admin API is not done."""

from __future__ import annotations


class AdminError(Exception):
    """A call that is refused.

    Attributes:
        status: HTTP status.
        code: short word for programs.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
