"""Clouds with prices of all kinds, for the tests of prices and rating."""

from __future__ import annotations

from neocloud.books.prices import ContractTerms, PriceBook, contract_terms, price_version
from neocloud.spec import Cloud
from neocloud.spec.load import parse_cloud

from .metering import CATALOG, TEXT

PLAIN = "{input: 0.26, cached_input: 0.05, output: 0.55}"


def cloud(prices: str = PLAIN, more: str = "") -> Cloud:
    """The small cloud with other prices of its model, and more sections."""
    assert TEXT.count(PLAIN) == 1
    return parse_cloud(TEXT.replace(PLAIN, prices) + more, "cloud.yaml", CATALOG)


def book(prices: str = PLAIN, more: str = "") -> PriceBook:
    return PriceBook(current=price_version(cloud(prices, more)))


def terms(contracts: str) -> tuple[ContractTerms, ...]:
    return contract_terms(cloud(more=contracts))
