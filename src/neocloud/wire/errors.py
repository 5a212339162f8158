"""What can go wrong with a request that we send. What clients do wrong is answered, not raised."""

from __future__ import annotations

from enum import StrEnum


class UpstreamFault(StrEnum):
    """How a request to an upstream failed."""

    CONNECT = "connect"  # no connection could be made
    LOST = "lost"  # the connection broke before the answer was whole
    PROTOCOL = "protocol"  # what came is not HTTP/1.1
    TIMEOUT = "timeout"  # nothing came for too long
    FULL = "full"  # we hold as many connections to it as we may


class UpstreamError(Exception):
    """The upstream gave no whole answer.

    Attributes:
        fault: what happened.
        answered: True if at least the head of an answer had arrived.
    """

    def __init__(self, fault: UpstreamFault, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.fault = fault
        self.answered = answered
