"""What a kilowatt-hour comes to at each site, obligations to pay for power not drawn included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.planner.demand import HOURS
from neocloud.planner.records import Obligation, OperatingPoint
from neocloud.planner.setting import Placed, Setting
from neocloud.planner.summary import watts_by_hour

_NOTHING_KWH = 1e-9


@dataclass(frozen=True, slots=True)
class Draw:
    """What an option's replicas draw: by the curve of one, times the PUE of its site."""

    site: str
    curve: tuple[OperatingPoint, ...]
    pue: float


def price_by_site(setting: Setting, placed: Placed, draws: Sequence[Draw]) -> dict[str, float]:
    """Price per kWh drawn, by site: contracts, peaks and carbon; 0 where energy is in the rent.

    Placement draws along a straight line; what replicas draw by their curves is a little above it.
    Each contract gives its share of that, and is paid for no less than it obliges to. Where nothing
    is drawn the first contract's price stands.

    Args:
        setting: what was placed.
        placed: the answer.
        draws: one for each option.
    """
    prices = {}
    for site, contracts in setting.contracts.items():
        if not contracts:
            prices[site] = 0.0
            continue
        planned = float(sum(placed.drawn_kw[site, c].sum() for c in range(len(contracts))))
        drawn = _drawn_kwh(placed, draws, site)
        if planned <= _NOTHING_KWH or drawn <= _NOTHING_KWH:
            prices[site] = contracts[0].price
            continue
        scale = drawn / planned
        kw = [placed.drawn_kw[site, c] * scale for c in range(len(contracts))]
        prices[site] = bill(setting, site, kw) / drawn
    return prices


def obligations(setting: Setting, placed: Placed) -> tuple[Obligation, ...]:
    """Sites that draw nothing and pay all the same."""
    found = []
    for site, contracts in setting.contracts.items():
        drawn = sum(float(placed.drawn_kw[site, c].sum()) for c in range(len(contracts)))
        owed = sum(c.least_kwh * c.price for c in contracts)
        if drawn <= _NOTHING_KWH and owed > 0.0:
            found.append(Obligation(site=site, cost_per_hour=owed / HOURS))
    return tuple(found)


def carbon_t_per_year(setting: Setting, placed: Placed, draws: Sequence[Draw]) -> float:
    """Emissions of the energy drawn by the curves, a year of such days."""
    kg = 0.0
    for site, contracts in setting.contracts.items():
        by_contract = [float(placed.drawn_kw[site, c].sum()) for c in range(len(contracts))]
        planned = sum(by_contract)
        if planned <= _NOTHING_KWH:
            continue
        scale = _drawn_kwh(placed, draws, site) / planned
        kg += scale * sum(
            kwh * contract.carbon_kg_per_kwh
            for kwh, contract in zip(by_contract, contracts, strict=True)
        )
    return kg * 365.0 / 1e3


def bill(setting: Setting, site: str, drawn_kw: Sequence[NDArray[np.float64]]) -> float:
    """What a site pays for a day, carbon included, by what each of its contracts gives, (24,)."""
    total = 0.0
    for contract, kw in zip(setting.contracts[site], drawn_kw, strict=True):
        kwh = float(kw.sum())
        total += max(kwh, contract.least_kwh) * contract.price
        total += float(kw.max()) * contract.peak_price
        total += kwh * contract.carbon_kg_per_kwh * setting.carbon_price
    return total


def _drawn_kwh(placed: Placed, draws: Sequence[Draw], site: str) -> float:
    """Energy of a day at the site's meter."""
    total = 0.0
    for o, draw in enumerate(draws):
        counts = placed.replicas[o]
        if draw.site != site or not counts.any():
            continue
        watts = watts_by_hour(draw.curve, counts, served_by_hour(placed, o))
        total += float(watts.sum()) / 1e3 * draw.pue
    return total


def served_by_hour(placed: Placed, option: int) -> NDArray[np.float64]:
    """Requests/s that an option is sent in each hour."""
    found: NDArray[np.float64] = sum(
        (hourly for (o, _), hourly in placed.flows.items() if o == option), np.zeros(HOURS)
    )
    return found
