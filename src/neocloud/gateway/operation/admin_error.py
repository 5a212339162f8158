"""Why a call of the admin API is not done."""

from __future__ import annotations


class AdminError(Exception):
    """A call that is refused.

    Attributes:
        status: HTTP status.
        code: short word for programs.
        allow: methods that there are where the one asked with is not; else empty.
    """

    def __init__(self, status: int, code: str, message: str, *, allow: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.allow = allow
