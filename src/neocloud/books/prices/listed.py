"""Price lists: what a token costs the tenant, as integers of 1e-12 of the currency."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from neocloud.ledger import Status
from neocloud.spec import Cloud
from neocloud.units import price_per_token


class TokenKind(StrEnum):
    """What a line of an invoice counts."""

    INPUT = "input"
    CACHED_INPUT = "cached_input"
    OUTPUT = "output"


BILLED = frozenset({Status.COMPLETED, Status.ABORTED})
"""Statuses that are billed: an answer that the client broke off was generated all the same; one
that an engine or the gateway broke off is not billed."""


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in force together.

    Attributes:
        currency: of the prices.
        pico_per_token: price of one token by (model, kind), in 1e-12 of the currency.
        version: content hash; an event carries the version in force at its admission.
    """

    currency: str
    pico_per_token: Mapping[tuple[str, TokenKind], int]
    version: str

    def per_million(self, model: str, kind: TokenKind) -> Decimal:
        """Price of a million tokens, exact."""
        return Decimal(self.pico_per_token[model, kind]).scaleb(-6)


def price_list(cloud: Cloud) -> PriceList:
    """The price list that the cloud's file states."""
    prices: dict[tuple[str, TokenKind], int] = {}
    for key, model in cloud.models.items():
        stated = model.price_per_mtok
        prices[key, TokenKind.INPUT] = price_per_token(stated.input)
        prices[key, TokenKind.CACHED_INPUT] = price_per_token(stated.cached_input)
        prices[key, TokenKind.OUTPUT] = price_per_token(stated.output)
    text = cloud.currency + repr(sorted(prices.items()))
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    return PriceList(currency=cloud.currency, pico_per_token=prices, version=version)
