"""Assets: what is paid, depreciated and sold.

Straight-line depreciation (IAS 16, ASC 360): what was depreciated by the end of a month is the
depreciable amount times months served over months of life, rounded once; a month's depreciation is
the difference of two, so that the whole life sums to the whole amount.
"""

from __future__ import annotations

from dataclasses import dataclass

from neocloud.finance.arithmetic import Index, Value
from neocloud.finance.model.setting import Setting
from neocloud.finance.outcome import AssetLines
from neocloud.finance.records import Asset


@dataclass(frozen=True, slots=True)
class Owned:
    """An asset's account, and what of its book value is not in service by month."""

    lines: AssetLines
    construction: tuple[Value, ...]


def served(setting: Setting, month: int, start: Index, life: Index) -> Index:
    """Months depreciated by the end of a month: between 0 and `life`."""
    return setting.a.least(setting.a.most(month - start + 1, 0), life)


def owned(setting: Setting, asset: Asset) -> Owned:
    """An asset by month. See `Shocks` for what moves it."""
    a = setting.a
    service = setting.service[asset.key]
    start = a.most(service, 0)
    life = _life_left(setting, asset)
    sale: Index = start + life if asset.life_months else setting.count
    component = setting.shocks.component.get(asset.kind)
    residual = setting.shocks.residual.get(asset.kind)
    market = None if residual is None else a.rate(residual)
    dues = [0] * setting.count
    for flow in asset.payments:
        month = setting.inputs.months.index(flow.day)
        if 0 <= month < setting.count:
            dues[month] += flow.amount
    cost = a.money(asset.opening_cost)
    before = a.money(asset.opening_depreciation)
    worn = a.zero
    rows = []
    for month in range(setting.count):
        paid = setting.scaled(a.money(dues[month]), setting.factor(component, month))
        cost = cost + paid
        left = a.times(cost, asset.residual_share)
        now = a.zero
        if asset.life_months:
            now = a.part(
                a.positive(cost - before - left), served(setting, month, start, life), life
            )
        book = cost - before - now
        gone: object = month >= sale
        proceeds = setting.scaled(a.where(month == sale, left, a.zero), market)
        disposal = a.where(month == sale, proceeds - book, a.zero)
        book = a.where(gone, a.zero, book)
        building = a.where(month < service, book, a.zero)
        rows.append((paid, now - worn, book, proceeds, disposal, building))
        worn = now
    paid_, depreciation, books, proceeds_, disposals, buildings = zip(*rows, strict=True)
    lines = AssetLines(
        key=asset.key,
        paid=paid_,
        depreciation=depreciation,
        book=books,
        proceeds=proceeds_,
        disposal=disposals,
        in_service=service,
    )
    return Owned(lines=lines, construction=buildings)


def _life_left(setting: Setting, asset: Asset) -> Index:
    """Months over which what is not depreciated yet will be."""
    a = setting.a
    whole = a.whole(a.rate(setting.shocks.life) * asset.life_months)
    return a.most(whole - max(0, -asset.in_service), 1)
