"""What the gateway needs to know of prices: the version that it writes into each admission."""

from __future__ import annotations

import msgspec

from neocloud.books.prices.read import price_version
from neocloud.ledger import Status
from neocloud.spec import Cloud

BILLED = frozenset({Status.COMPLETED, Status.ABORTED})
"""Statuses that are billed unless the file says otherwise: an answer that the client broke off was
generated all the same; one that an engine or the gateway broke off is not billed."""


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of a file by name: `version` is the id of its `PriceVersion`."""

    currency: str
    version: str


def price_list(cloud: Cloud) -> PriceList:
    """The price list that the cloud's file states."""
    return PriceList(currency=cloud.currency, version=price_version(cloud).id)
