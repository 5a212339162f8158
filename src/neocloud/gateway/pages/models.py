"""The pages about models, as OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from neocloud.gateway.fleet.replicas import Fleet
from neocloud.gateway.tenants.rules import Rules


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One model. Beside OpenAI's fields: the precisions that it is served in, as far as known."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "neocloud"
    precisions: tuple[str, ...] = ()
    emulated: bool = False


class _Cards(msgspec.Struct, frozen=True):
    object: str
    data: list[ModelCard]


def _card(name: str, rules: Rules, fleet: Fleet) -> ModelCard:
    serving = [b for b in fleet.backends if b.state.model == name]
    told = {b.endpoint.precision for b in serving if b.endpoint.precision}
    if rules.models[name].precision:
        told.add(rules.models[name].precision)
    return ModelCard(
        id=name,
        precisions=tuple(sorted(told)),
        emulated=bool(serving) and all(b.endpoint.emulated for b in serving),
    )


def model_list(names: Iterable[str], rules: Rules, fleet: Fleet) -> bytes:
    """The answer to GET /v1/models."""
    return msgspec.json.encode(_Cards("list", [_card(name, rules, fleet) for name in names]))


def model_card(name: str, rules: Rules, fleet: Fleet) -> bytes:
    """The answer to GET /v1/models/{model}."""
    return msgspec.json.encode(_card(name, rules, fleet))
