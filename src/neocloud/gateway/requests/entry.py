"""A request that was read and may be asked, before it has a replica."""

from __future__ import annotations

import msgspec

from neocloud.gateway.apis import Api
from neocloud.gateway.apis.api import Asked
from neocloud.gateway.apis.media import Media
from neocloud.gateway.tenants.callers import Caller
from neocloud.gateway.tenants.limits import input_bound, output_bound
from neocloud.gateway.tenants.rules import ModelRule
from neocloud.quotas import Hold
from neocloud.routing import RouteRequest
from neocloud.wire import Exchange


class Entry(msgspec.Struct, eq=False):
    """Who asks what.

    Attributes:
        exchange: the way to answer.
        api: that the client speaks.
        asked: what was read of its body.
        caller: who asks.
        rule: of the model.
        media: in the prompt.
        route: what the router is asked; None before.
        hold: of the tenant's limits; None without any.
        waits_since_ns: since when it waits, or waited, for a place; 0 if it never did.
    """

    exchange: Exchange
    api: Api
    asked: Asked
    caller: Caller
    rule: ModelRule
    media: Media
    route: RouteRequest | None = None
    hold: Hold | None = None
    waits_since_ns: int = 0

    def bounds(self) -> tuple[int, int]:
        """The most prompt tokens that it may have, and the most output tokens."""
        return (
            input_bound(self.media, len(self.exchange.body)),
            output_bound(self.asked, self.rule, self.api.name),
        )
