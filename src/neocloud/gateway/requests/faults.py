"""What a client is told of an engine that gave no whole answer.

The words name no address: where an engine stands is the operator's business, and it is in the
record of the attempt.
"""

from __future__ import annotations

from typing import NamedTuple

from neocloud.wire import UpstreamFault


class Told(NamedTuple):
    """A refusal in words: HTTP status, message, short word for programs."""

    status: int
    message: str
    code: str


TOO_LATE = Told(504, "the engine did not answer in time", "engine_timeout")
_TOLD = {
    UpstreamFault.CONNECT: Told(
        502, "no connection to the engine could be made: it is down or out of reach",
        "engine_unreachable",
    ),
    UpstreamFault.FULL: Told(502, "all connections to the engine are in use", "engine_full"),
    UpstreamFault.LOST: Told(502, "the engine broke off", "engine_failed"),
    UpstreamFault.PROTOCOL: Told(502, "what the engine sent is no HTTP answer", "engine_failed"),
    UpstreamFault.TIMEOUT: TOO_LATE,
}  # fmt: skip


def told_of(fault: UpstreamFault) -> Told:
    """What became of a request that was tried in vain."""
    return _TOLD[fault]
