"""Prices: what the file says, with validity dates; versions by the hash of their content."""

from neocloud.books.prices.listed import BILLED, PriceList, price_list
from neocloud.books.prices.read import contract_terms, midnight_ns, price_version
from neocloud.books.prices.records import (
    Adjustment,
    ContractTerms,
    HourRate,
    Meter,
    ModelRates,
    PriceBook,
    PriceVersion,
    Tier,
    Tiering,
    TokenBill,
    adjusted,
    factor_of,
)

__all__ = [
    "BILLED",
    "Adjustment",
    "ContractTerms",
    "HourRate",
    "Meter",
    "ModelRates",
    "PriceBook",
    "PriceList",
    "PriceVersion",
    "Tier",
    "Tiering",
    "TokenBill",
    "adjusted",
    "contract_terms",
    "factor_of",
    "midnight_ns",
    "price_list",
    "price_version",
]
