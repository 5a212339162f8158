"""One event by itself."""

from __future__ import annotations

import msgspec

from neocloud.books.prices import PriceBook
from neocloud.books.rating.tally import rate
from neocloud.ledger import UsageEvent


class RatedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event and its price: nothing where its status is not billed."""

    request_id: str
    tenant: str
    model: str
    currency: str
    pico: int


def rate_event(event: UsageEvent, book: PriceBook) -> RatedEvent:
    """Price one event as if it were the only one of its month, and no contract covered it.

    Without tiers the sum over events is what `rate` makes of all of them; with tiers it is what
    they would cost if each began them anew.

    Raises:
        UnpricedModelError: its model has no price.
    """
    lines = rate(book, (event,)).lines
    return RatedEvent(
        request_id=event.request_id,
        tenant=event.tenant,
        model=event.model,
        currency=book.version(event.price_version).currency,
        pico=sum(line.pico for line in lines),
    )
