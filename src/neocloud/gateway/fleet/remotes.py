"""Servers of others behind the gateway: they take what the cloud's own replicas cannot in time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from neocloud.engines import Endpoint
from neocloud.units import PICO

if TYPE_CHECKING:  # the planner loads numpy, and nothing of it is called here
    from neocloud.planner import Plan

_MEAN_TOKENS = (1000.0, 200.0)
"""Prompt and answer of a request where no plan tells the model's own. Assumption."""


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """One model at somebody else's.

    Attributes:
        endpoint: where it answers; its replica is `remote/KEY/MODEL/0`.
        model: the model's name here.
        metro: where it stands; None where that is not known.
    """

    endpoint: Endpoint
    model: str
    metro: str | None


def cost_of(remote: Remote, plan: Plan | None, own: Iterable[float]) -> float:
    """What a request of mean length costs there, in the cloud's currency.

    Where its owner's price is not known it is taken to be dearer than all of the cloud's `own`.
    """
    price = remote.endpoint.price
    if price is None:
        return 2.0 * max(own, default=0.0) + 1.0
    inputs, outputs = _MEAN_TOKENS
    for model in plan.models if plan is not None else ():
        if model.model == remote.model:
            inputs, outputs = model.input_tokens_per_request, model.output_tokens_per_request
    return price.of(round(inputs), 0, round(outputs)) / PICO
