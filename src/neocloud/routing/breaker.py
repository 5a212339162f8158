"""When a replica that fails is let alone, and how it comes back: a state machine without a clock.

Closed: all is well. `THRESHOLD` failures in a row open it: no requests for a back-off that doubles
with each opening. Then it is half-open: one request at a time may try it. If that is answered it
closes, else it opens again. A failure is a connection refused or lost, a time-out or a 5xx; an
answer is any other, a client's own 4xx too. 429 and 503 are neither, see `Group.full`.

What happened to requests that were sent before the last change says nothing about now: a hundred
that fail together open it once.
"""

from __future__ import annotations

from zlib import crc32

from neocloud.routing.records import Breaker

THRESHOLD = 5
"""Failures in a row that open it. Assumption, as Envoy's `consecutive_5xx`."""
FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 60.0
JITTER = 0.25
"""Up to this share is added, so that replicas that fell together are not tried together."""
PROBE_LOST_S = 30.0
"""A try of which nothing was heard for so long is given up. Assumption."""


def backoff_s(replica: str, opened: int) -> float:
    """Time that it stays open for the `opened`-th time in a row; the same for the same replica."""
    base = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(opened - 1, 30))
    return base * (1.0 + JITTER * crc32(f"{replica}#{opened}".encode()) / 2**32)


def admits(breaker: Breaker, now_s: float) -> bool:
    """True if a request may be sent: closed, or half-open with no try on its way."""
    if not breaker.opened:
        return True
    if now_s < breaker.until_s:
        return False
    return breaker.probe_s is None or now_s - breaker.probe_s >= PROBE_LOST_S


def sent(breaker: Breaker, now_s: float) -> bool:
    """A request was sent. True if it is the one that tries it."""
    if breaker.opened and admits(breaker, now_s):
        breaker.probe_s = now_s
        return True
    return False


def failed(breaker: Breaker, replica: str, sent_s: float, now_s: float) -> bool:
    """A request sent at `sent_s` failed. True if that opened it, or opened it again."""
    if sent_s < breaker.changed_s:
        return False
    if breaker.opened:
        if sent_s < breaker.until_s:
            return False  # sent all the same, for want of others
    else:
        breaker.failures += 1
        if breaker.failures < THRESHOLD:
            return False
    breaker.opened += 1
    breaker.failures = 0
    breaker.changed_s = now_s
    breaker.until_s = now_s + backoff_s(replica, breaker.opened)
    breaker.probe_s = None
    return True


def answered(breaker: Breaker, sent_s: float, now_s: float) -> bool:
    """A request sent at `sent_s` was answered. True if that closed it."""
    if not breaker.opened:
        breaker.failures = 0
        return False
    if sent_s < breaker.changed_s:
        return False
    breaker.opened = 0
    breaker.failures = 0
    breaker.changed_s = breaker.recovered_s = now_s
    breaker.probe_s = None
    return True


def left(breaker: Breaker, sent_s: float) -> bool:
    """A request ended, whatever its fate. True if it was the try, and told nothing."""
    if breaker.probe_s is None or breaker.probe_s != sent_s:
        return False
    breaker.probe_s = None
    return True
