"""Rating: what each event costs its tenant, exactly."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from neocloud.books.prices import BILLED, PriceList, TokenKind
from neocloud.books.rating.records import UnpricedModelError
from neocloud.ledger import UsageEvent


class RatedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event and its price: nothing where its status is not billed."""

    request_id: str
    tenant: str
    model: str
    pico: int


class RatedUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Billed tokens of one tenant, model and kind, and what they cost."""

    tenant: str
    model: str
    kind: TokenKind
    tokens: int
    pico_per_token: int

    @property
    def pico(self) -> int:
        """The whole amount in 1e-12 of the currency."""
        return self.tokens * self.pico_per_token


def billed_tokens(event: UsageEvent) -> dict[TokenKind, int]:
    """Tokens of an event by what they are priced as; all zero where it is not billed."""
    if event.status not in BILLED:
        return dict.fromkeys(TokenKind, 0)
    return {
        TokenKind.INPUT: event.input_tokens - event.cached_tokens,
        TokenKind.CACHED_INPUT: event.cached_tokens,
        TokenKind.OUTPUT: event.output_tokens,
    }


def rate_event(event: UsageEvent, prices: PriceList) -> RatedEvent:
    """Price one event.

    Raises:
        UnpricedModelError: the list has no price for its model.
    """
    _check(event, prices)
    pico = sum(
        tokens * prices.pico_per_token[event.model, kind]
        for kind, tokens in billed_tokens(event).items()
    )
    return RatedEvent(
        request_id=event.request_id, tenant=event.tenant, model=event.model, pico=pico
    )


def rate_usage(events: Iterable[UsageEvent], prices: PriceList) -> tuple[RatedUsage, ...]:
    """Sum events by tenant, model and kind, then price the sums: equal to the rated events' sum.

    Raises:
        UnpricedModelError: the list has no price for some event's model.
    """
    sums: dict[tuple[str, str, TokenKind], int] = {}
    for event in events:
        _check(event, prices)
        for kind, tokens in billed_tokens(event).items():
            key = (event.tenant, event.model, kind)
            sums[key] = sums.get(key, 0) + tokens
    return tuple(
        RatedUsage(
            tenant=tenant,
            model=model,
            kind=kind,
            tokens=tokens,
            pico_per_token=prices.pico_per_token[model, kind],
        )
        for (tenant, model, kind), tokens in sorted(sums.items())
        if tokens
    )


def _check(event: UsageEvent, prices: PriceList) -> None:
    if (event.model, TokenKind.INPUT) not in prices.pico_per_token:
        raise UnpricedModelError(
            f"request {event.request_id} used model {event.model}, which has no price; "
            "give it one under models.<name>.price_per_mtok"
        )
