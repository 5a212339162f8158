"""Operating cost by month."""

from __future__ import annotations

from typing import Final

from neocloud.finance.model.setting import Setting
from neocloud.finance.outcome import Line
from neocloud.finance.records import Cost

POWERED: Final = frozenset({"power", "demand_charge", "fuel"})
"""Kinds of cost that follow the price of power."""


def spent(setting: Setting, cost: Cost) -> Line:
    """An operating cost by month. See `Shocks` for what moves it."""
    a = setting.a
    shocks = setting.shocks
    shift = setting.shift(cost.requires, cost.first)
    line = []
    for month in range(setting.count):
        power = setting.factor(shocks.power, month) if cost.kind in POWERED else None
        value = setting.scaled(a.at(cost.fixed, month - shift), power)
        if cost.variable:
            value = value + setting.scaled(
                a.at(cost.variable, month - shift),
                power,
                setting.factor(shocks.utilisation, month),
                setting.factor(shocks.delivered, month),
            )
        line.append(value)
    return tuple(line)
