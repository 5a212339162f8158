"""A request that was read and may be asked, before it has a replica."""

from __future__ import annotations

import msgspec

from neocloud.gateway.apis import Api
from neocloud.gateway.apis.api import Asked
from neocloud.gateway.apis.media import Media
from neocloud.gateway.limits import input_bound, output_bound
from neocloud.gateway.rules import ModelRule, TenantRule
from neocloud.ledger import ApiKey
from neocloud.wire import Exchange


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks what.

    Attributes:
        exchange: the way to answer.
        api: that the client speaks.
        asked: what was read of its body.
        key: that it sent.
        tenant: rule of the key's tenant.
        rule: of the model.
        media: in the prompt.
    """

    exchange: Exchange
    api: Api
    asked: Asked
    key: ApiKey
    tenant: TenantRule
    rule: ModelRule
    media: Media

    def bounds(self) -> tuple[int, int]:
        """The most prompt tokens that it may have, and the most output tokens."""
        return (
            input_bound(self.asked, self.media, len(self.exchange.body)),
            output_bound(self.asked, self.rule, self.api.name),
        )
