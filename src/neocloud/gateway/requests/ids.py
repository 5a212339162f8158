"""Ids of requests: each once, in the order of their admission, and telling who admitted them.

A UUID of version 7 has a time in milliseconds and 74 further bits. Here these are 16 bits of the
gateway, 10 of the worker, and a count of 48 that starts anywhere, so that a worker never gives an
id twice. Which worker has admitted a request is so known of each usage event, and with it how much
of a budget a worker has spent that was killed.
"""

from __future__ import annotations

import secrets
from uuid import UUID

_COUNT_BITS = 48
_WORKER_BITS = 10
_GATEWAY_BITS = 16
_COUNT = (1 << _COUNT_BITS) - 1
_WORKER = (1 << _WORKER_BITS) - 1
_GATEWAY = (1 << _GATEWAY_BITS) - 1


class RequestIds:
    """Gives ids to the requests of one worker.

    They are those of `units.new_request_id`, put together from parts that seldom change.

    Args:
        gateway: number of the gateway.
        worker: number of the worker in it.
    """

    def __init__(self, gateway: int, worker: int) -> None:
        who = (gateway & _GATEWAY) << _WORKER_BITS | (worker & _WORKER)
        self._count = secrets.randbits(_COUNT_BITS)
        self._millisecond = -1
        self._front = ""
        # Of 62 bits after the variant, `who` has the first 26: 14 here, 12 before the count.
        self._middle = f"-{0x8000 | who >> 12:04x}-"
        self._low = (who & 0xFFF) << 36

    def new(self, time_ns: int) -> str:
        """The id of a request that is admitted now."""
        count = self._count = (self._count + 1) & _COUNT
        millisecond = time_ns // 1_000_000
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            shown = f"{millisecond & 0xFFFF_FFFF_FFFF:012x}"
            self._front = f"{shown[:8]}-{shown[8:]}-7"
        return f"{self._front}{count & 0xFFF:03x}{self._middle}{self._low | count >> 12:012x}"


def admitted_by(request_id: str) -> tuple[int, int]:
    """Gateway and worker that admitted a request."""
    value = UUID(request_id).int
    random = (value & ((1 << 62) - 1)) << 12 | value >> 64 & 0xFFF
    who = random >> _COUNT_BITS
    return who >> _WORKER_BITS & _GATEWAY, who & _WORKER
