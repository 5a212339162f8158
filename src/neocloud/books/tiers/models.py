"""What a million tokens of each model cost, sell for, are worth on the market, and emit."""

from __future__ import annotations

import math
from collections.abc import Callable

from neocloud.activity import Purpose
from neocloud.books.tiers.account import Books
from neocloud.books.tiers.cells import WORKING, Cell
from neocloud.books.tiers.records import Carbon, ModelLine
from neocloud.catalog import Catalog
from neocloud.planner.market import market_price
from neocloud.spec import Cloud
from neocloud.units import PICO


def model_lines(cloud: Cloud, catalog: Catalog, books: Books) -> tuple[ModelLine, ...]:
    """A line for each model of the file."""
    whole = sum(entry.pico for entry in books.entries)
    working = sum(entry.pico for entry in books.entries if entry.cell.use in WORKING)
    found = []
    for key, model in cloud.models.items():

        def mine(cell: Cell, key: str = key) -> bool:
            return cell.model == key and cell.use == Purpose.INFERENCE

        served = [what for cell, what in books.usage.served.items() if mine(cell)]
        inputs = sum(what.input_tokens for what in served)
        outputs = sum(what.output_tokens for what in served)
        tokens = inputs + outputs
        cost = sum(entry.pico for entry in books.entries if mine(entry.cell))
        loaded = cost * whole / working if working else None
        earned = sum(pico for cell, pico in books.earned.items() if mine(cell))
        market = market_price(catalog, model.config, inputs, outputs) if tokens else None
        usd = float(cloud.rate("USD")) if market is not None else 1.0
        located, marketed = _carbon(books, mine)
        found.append(
            ModelLine(
                model=key,
                tokens=tokens,
                cost=_per_mtok(cost / PICO, tokens),
                cost_with_idle=None if loaded is None else _per_mtok(loaded / PICO, tokens),
                sold=_per_mtok(earned / PICO, tokens),
                market_low=None if market is None else float(market.low) * usd,
                market_median=None if market is None else float(market.median) * usd,
                market_high=None if market is None else float(market.high) * usd,
                providers=0 if market is None else market.providers,
                carbon_g_location=_per_mtok(located * 1e3, tokens),
                carbon_g_market=_per_mtok(marketed * 1e3, tokens),
            )
        )
    return tuple(found)


def carbon_of(books: Books) -> Carbon:
    """Emissions of everything, and of inference for a million tokens."""
    located, marketed = _carbon(books, lambda _: True)
    serving = _carbon(books, lambda cell: cell.use == Purpose.INFERENCE)
    tokens = sum(what.input_tokens + what.output_tokens for what in books.usage.served.values())
    return Carbon(
        location_kg=located,
        market_kg=marketed,
        location_g_per_mtok=_per_mtok(serving[0] * 1e3, tokens),
        market_g_per_mtok=_per_mtok(serving[1] * 1e3, tokens),
    )


def _carbon(books: Books, keep: Callable[[Cell], bool]) -> tuple[float, float]:
    kept = [kg for cell, kg in books.carbon_kg.items() if keep(cell)]
    return math.fsum(kg[0] for kg in kept), math.fsum(kg[1] for kg in kept)


def _per_mtok(amount: float, tokens: int) -> float | None:
    return amount / tokens * 1e6 if tokens else None
