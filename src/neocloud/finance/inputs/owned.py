"""What is owned: assets of the file, and pools that no asset stands for."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, cast

from neocloud.books.tiers.exact import stated
from neocloud.finance.inputs.ground import Ground
from neocloud.finance.inputs.service import asset_mw, pool_mw
from neocloud.finance.inputs.spans import grown, years_since
from neocloud.finance.records import Asset, AssetKind, Flow
from neocloud.planner.rates import life_years, residual_share
from neocloud.spec import Asset as Bought
from neocloud.spec import Pool, months_after

NOT_WORN: Final = frozenset({"land"})
"""Kinds that are never depreciated (IAS 16.58)."""


def assets_of(ground: Ground) -> tuple[Asset, ...]:
    """All assets: those of the file in its order, pools, and property from before."""
    bought = {name for asset in ground.cloud.finance.assets for name in asset.pools}
    pools = (
        _pool(ground, name, pool)
        for name, pool in ground.pools.items()
        if name not in bought and pool.lease_usd_per_hour is None
    )
    return (*(_asset(ground, a) for a in ground.cloud.finance.assets), *pools, *_before(ground))


def _asset(ground: Ground, bought: Bought) -> Asset:
    months, finance = ground.months, ground.cloud.finance
    day = ground.service[bought.key]
    index = months.index(day)
    years = finance.life_years if bought.life_years is None else bought.life_years
    residual = finance.residual_share if bought.residual_share is None else bought.residual_share
    life = 0 if bought.kind in NOT_WORN else max(1, round(stated(years) * 12))
    flows = payments_of(ground, bought)
    early = sum(flow.amount for flow in flows if months.index(flow.day) < 0)
    accelerator, count = bought.accelerator, bought.accelerators
    for name in bought.pools:
        pool = ground.pools[name]
        same = accelerator in (None, pool.accelerator)
        accelerator = pool.accelerator if same else accelerator
        count += pool.nodes * ground.per_node(pool.accelerator)
    whole, unit = ground.pico(bought.price, bought.currency), "the whole"
    mw = asset_mw(ground.cloud, ground.catalog, bought)
    if count:
        whole, unit = round(Fraction(whole, count)), "an accelerator"
    elif mw:
        whole, unit = round(whole / mw), "a megawatt"
    return Asset(
        key=bought.key,
        kind=cast("AssetKind", bought.kind),
        in_service=index,
        life_months=life,
        payments=tuple(flow for flow in flows if 0 <= months.index(flow.day) < months.count),
        site=bought.site,
        residual_share=stated(residual),
        opening_cost=early,
        opening_depreciation=worn(early, stated(residual), life, -index),
        standing=index < 0,
        accelerator=accelerator,
        accelerators=count,
        megawatts=mw,
        next_price=tuple(
            _moved(ground, whole, bought.price_change_per_year, month, bought)
            for month in range(months.count)
        ),
        next_unit=unit,
        ordered=months.index(
            bought.ordered or months_after(bought.in_service, -(bought.lead_months or 0))
        ),
    )


def payments_of(ground: Ground, bought: Bought) -> tuple[Flow, ...]:
    """What is paid when, whole amounts that sum to the price; on the days that the file says."""
    price = ground.pico(bought.price, bought.currency)
    if not bought.payments:
        return (Flow(day=bought.in_service, amount=price),)
    flows, paid, share = [], 0, Fraction(0)
    for payment in sorted(bought.payments, key=lambda p: -p.months_before_service):
        share += Fraction(payment.share)
        due = round(price * share) - paid
        paid += due
        day = months_after(bought.in_service, -payment.months_before_service)
        flows.append(Flow(day=day, amount=due))
    last = flows[-1]
    flows[-1] = Flow(day=last.day, amount=last.amount + price - paid)
    return tuple(flows)


def worn(cost: int, residual: Fraction, life: int, months: int) -> int:
    """Straight-line depreciation of a cost after some months of service, pico-units."""
    if life == 0 or months <= 0:
        return 0
    return round(cost * (1 - residual) * min(months, life) / life)


def _moved(ground: Ground, price: int, change: float, month: int, bought: Bought) -> int:
    """What the next one costs: the price moves from the day of the first one's order."""
    since = bought.ordered or bought.in_service
    return round(price * grown(change, years_since(ground.months, month, since)))


def _pool(ground: Ground, name: str, pool: Pool) -> Asset:
    """A pool as an asset: bought when it begins, or at the start of the first month."""
    months, cloud = ground.months, ground.cloud
    accelerator = ground.catalog.accelerator(pool.accelerator)
    count = pool.nodes * accelerator.node_accelerators
    one = (
        Fraction(pool.capex_usd)
        if pool.capex_usd is not None
        else stated(accelerator.capex_usd.known(f"the installed price of {pool.accelerator}"))
    )
    price = ground.pico(count * one, "USD")
    index = 0 if pool.start is None else months.index(pool.start)
    stands = pool.start is None or index < 0
    residual = stated(residual_share(cloud, pool))
    life = max(1, round(stated(life_years(cloud, pool)) * 12))
    pays = pool.start is not None and 0 <= index < months.count
    return Asset(
        key=f"pool/{name}",
        kind="accelerators",
        in_service=index,
        life_months=life,
        payments=(Flow(day=pool.start, amount=price),) if pays and pool.start else (),
        site=name.partition("/")[0],
        residual_share=residual,
        opening_cost=price if stands else 0,
        opening_depreciation=worn(price, residual, life, -index) if stands else 0,
        standing=stands,
        accelerator=pool.accelerator,
        accelerators=count,
        megawatts=pool_mw(ground.catalog, pool),
        next_price=(ground.pico(one, "USD"),) * months.count,
        next_unit="an accelerator",
        ordered=min(index, 0) if stands else index,
    )


def _before(ground: Ground) -> Iterator[Asset]:
    """Property that is not among the assets: what is left of it is depreciated to nothing."""
    opening = ground.cloud.finance.opening
    if opening is None or not opening.property_cost:
        return
    net = opening.property_cost if opening.property_net is None else opening.property_net
    cost = ground.pico(opening.property_cost)
    yield Asset(
        key="opening/property",
        kind="other",
        in_service=-1,
        life_months=opening.property_months + 1,
        opening_cost=cost,
        opening_depreciation=cost - ground.pico(net),
        standing=True,
        ordered=-1,
    )
