"""What a shipper tells those who wait for it."""

from __future__ import annotations

import msgspec

BACKLOG_BYTES = 4 * 1024**3
"""Most that may wait for the store, unless set otherwise: some ten million requests."""
PATIENCE_S = 5.0
"""How long the store may be away before nothing more is admitted."""


class ShippingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the shipper's process is to do; the first line that it reads.

    Attributes:
        url: of the store.
        segments: folder of the segments.
        backlog_bytes: most that may wait for the store before nothing more is admitted.
        patience_s: how long the store may be away before that.
    """

    url: str
    segments: str
    backlog_bytes: int = BACKLOG_BYTES
    patience_s: float = PATIENCE_S


class ShippingReport(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with shipping; a line of JSON from the shipper's process.

    Attributes:
        shipped: records that it brought to the store since it started.
        backlog_bytes: of segments that are not in the store.
        lag_s: for how long there has been something that is not in the store.
        failure: why nothing more may be admitted; None while all is well.
    """

    shipped: int
    backlog_bytes: int
    lag_s: float
    failure: str | None
