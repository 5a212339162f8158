"""Prices: what the file says, with validity dates; versions by the hash of their content."""

from neocloud.books.prices.listed import BILLED, PriceList, TokenKind, price_list
from neocloud.books.prices.records import (
    Adjustment,
    HourRate,
    Meter,
    ModelRates,
    PriceBook,
    PriceVersion,
    Tier,
    Tiering,
    adjusted,
)

__all__ = [
    "BILLED",
    "Adjustment",
    "HourRate",
    "Meter",
    "ModelRates",
    "PriceBook",
    "PriceList",
    "PriceVersion",
    "Tier",
    "Tiering",
    "TokenKind",
    "adjusted",
    "price_list",
]
