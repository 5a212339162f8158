"""What a kilowatt-hour comes to at each site, obligations to pay for power not drawn included."""

from __future__ import annotations

import numpy as np

from neocloud.planner.demand import HOURS
from neocloud.planner.placement import Placed, Setting
from neocloud.planner.summary import watts_by_hour


def price_by_site(setting: Setting, placed: Placed) -> dict[str, float]:
    """Price per kWh drawn, by site; the first contract's where nothing is drawn.

    Placement draws a straight line from idle to full power; what replicas draw by their curves is
    a little off it. Each contract gives its share of that, and is paid for no less than it obliges
    to.
    """
    prices = {}
    for site, contracts in setting.contracts.items():
        by_contract = [placed.drawn_kwh[site, c] for c in range(len(contracts))]
        in_placement, drawn = sum(by_contract), _drawn_kwh(setting, placed, site)
        if in_placement <= 1e-9 or drawn <= 1e-9:
            prices[site] = contracts[0].price
            continue
        paid = sum(
            max(kwh * drawn / in_placement, contract.least_kwh) * contract.price
            for kwh, contract in zip(by_contract, contracts, strict=True)
        )
        prices[site] = paid / drawn
    return prices


def _drawn_kwh(setting: Setting, placed: Placed, site: str) -> float:
    """Energy of a day at the site's meter."""
    total = 0.0
    for o, option in enumerate(setting.options):
        count = placed.replicas[o]
        if option.site != site or count == 0:
            continue
        served = [hourly for (oo, _), hourly in placed.flows.items() if oo == o]
        watts = watts_by_hour(option.candidate.curve, count, sum(served, np.zeros(HOURS)))
        total += float(watts.sum()) / 1e3 * setting.pue[site]
    return total
