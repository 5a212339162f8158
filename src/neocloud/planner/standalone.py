"""A cloud made up for a search without a file: one site, one pool of each kind of accelerator.

All that is not asked for takes the defaults of the cloud file, so what a million tokens cost here
they cost in a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from neocloud.catalog import Catalog
from neocloud.planner.lengths import lengths_of
from neocloud.planner.searches import Asked
from neocloud.spec import Cloud, SpecError, parse_cloud

METRO = "washington"
"""Around Ashburn in Virginia, where most data-center space is: its price of power counts unless
another is given (see `neocloud catalog power washington`)."""
_MODEL, _SITE = "model", "here"


class WishError(ValueError):
    """Something that the cloud file does not take either; the message has remedies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked without a cloud file; None and empty take the file's defaults.

    Attributes:
        model: catalog name or path of a config.json.
        input_tokens: of each prompt.
        output_tokens: of each answer.
        lengths: a trace of the catalog in place of the two; empty for none.
        ttft_ms: objective for the first token, the network left out.
        tpot_ms: objective for each token after it.
        percentile: share of requests that must hold both, per cent.
        precisions: number formats of the weights; empty for the checkpoint's own.
        kv_precisions: of the KV cache.
        engine: what serves.
        confidence: quantile of the prediction.
        max_accelerators: of one replica.
        tp: degrees of tensor parallelism.
        attention_dp: of data parallelism of the attention; empty for powers of two up to
            `max_accelerators`.
        pp: of pipeline parallelism.
        usd_per_mwh: price of energy.
        pue: power usage effectiveness.
    """

    model: str
    input_tokens: float = 1024.0
    output_tokens: float = 1024.0
    lengths: str = ""
    ttft_ms: float = 2000.0
    tpot_ms: float = 50.0
    percentile: float = 90.0
    precisions: tuple[str, ...] = ()
    kv_precisions: tuple[str, ...] = ()
    engine: str = "vllm"
    confidence: float = 0.5
    max_accelerators: int = 32
    tp: tuple[int, ...] = ()
    attention_dp: tuple[int, ...] = ()
    pp: tuple[int, ...] = ()
    usd_per_mwh: float | None = None
    pue: float | None = None


def standalone(
    wish: Wish, accelerators: Sequence[str], catalog: Catalog, base: Path | None = None
) -> tuple[Cloud, Asked]:
    """A cloud for one model, and what is asked of it; the network is left out of the objective.

    Args:
        wish: what is asked.
        accelerators: keys of the catalog, at least one; a pool of each is as large as the largest
            replica asked for.
        catalog: where names are looked up.
        base: folder that the path of a config.json starts from; None for the current one.

    Raises:
        WishError: the cloud file does not take this.
    """
    try:
        cloud = parse_cloud(cloud_text(wish, accelerators, catalog), "search", catalog, base)
    except SpecError as error:
        told = "\n".join(f"{p.message}. {p.remedy}" for p in error.problems)
        raise WishError(told) from None
    objective = cloud.models[_MODEL].objective
    load = lengths_of(cloud, catalog, _MODEL).load(objective.percentile)
    return cloud, Asked(model=_MODEL, name=wish.model, load=load, most=wish.max_accelerators)


def cloud_text(wish: Wish, accelerators: Sequence[str], catalog: Catalog) -> str:
    """The cloud file, as JSON, which is YAML too."""
    pools = []
    for key in accelerators:
        node = catalog.accelerator(key).node_accelerators
        nodes = -(-wish.max_accelerators // node)
        pool = {"accelerator": key, "nodes": nodes, "engine": wish.engine}
        pools.append(pool | _lease(catalog, key))
    fixed = {"input_tokens": wish.input_tokens, "output_tokens": wish.output_tokens}
    model = _given(
        {
            "config": wish.model,
            "objective": {
                "ttft_ms": wish.ttft_ms,
                "tpot_ms": wish.tpot_ms,
                "percentile": wish.percentile,
            },
            # Nobody is billed; the file wants to know all the same.
            "price_per_mtok": {"input": 0, "output": 0},
            "precisions": wish.precisions,
            "kv_precisions": wish.kv_precisions,
        }
    )
    power = None if wish.usd_per_mwh is None else [{"usd_per_mwh": wish.usd_per_mwh}]
    site = _given({"metro": METRO, "power": power, "pue": wish.pue, "pools": pools})
    planning = _given(
        {
            "confidence": wish.confidence,
            "max_accelerators": wish.max_accelerators,
            "tp": wish.tp,
            "attention_dp": wish.attention_dp or _powers(wish.max_accelerators),
            "pp": wish.pp,
        }
    )
    demand = {
        "model": _MODEL,
        "metros": [METRO],
        "requests_per_s": 1,
        "lengths": wish.lengths or fixed,
    }
    whole = {
        "name": "search",
        "sites": {_SITE: site},
        "models": {_MODEL: model},
        "tenants": {"nobody": {}},
        "demand": [demand],
        "planning": planning,
    }
    return msgspec.json.encode(whole).decode()


def _lease(catalog: Catalog, key: str) -> dict[str, object]:
    """Where no price of an accelerator is known, what the market asks for an hour of it.

    That holds space and energy too, which are counted again: the careful side.
    """
    asked = catalog.rental_range(key)
    if catalog.accelerator(key).capex_usd.value is not None or asked is None:
        return {}
    return {"ownership": "leased", "lease_usd_per_hour": float(asked.median)}


def _given(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value not in (None, ())}


def _powers(most: int) -> tuple[int, ...]:
    return tuple(2**n for n in range(most.bit_length()))
