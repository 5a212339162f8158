"""What new capacity costs, landed: per megawatt, accelerator and accelerator-hour, by component.

A month's price is what the same assets would cost if they were ordered in that month. New capacity
is what does not stand yet on the first day; where all stands, what stands is priced anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import msgspec

from neocloud.finance.arithmetic import Exact
from neocloud.finance.indicators.change import Quotient, Total
from neocloud.finance.indicators.records import Measure, Named, Reading, Series, series_of
from neocloud.finance.records import Asset, AssetKind, Inputs
from neocloud.units import PICO

HOURS_A_MONTH = 730
"""8,760 hours of a year of 365 days over 12: an average month, so that none is dear for being
short."""


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity that comes into service at a site in a month, at what is really paid for it.

    Attributes:
        month: `2026-10`.
        site: site key; empty of no one site.
        megawatts: of its accelerators' nodes; where they say nothing, the largest of any kind.
        accelerators: how many.
        cost: by kind, pico-units, without interest.
    """

    month: str
    site: str
    megawatts: Fraction
    accelerators: int
    cost: Mapping[AssetKind, int]


class ComponentCost(msgspec.Struct, frozen=True, kw_only=True):
    """The indicator.

    Attributes:
        per_megawatt: landed cost of a megawatt of new capacity, units of the currency: each
            component's price over the megawatts that it is built for, added up. What says no
            megawatts serves those of the accelerators.
        per_accelerator: landed cost of an accelerator with its share of all else.
        per_hour: capital cost of an accelerator-hour that can be sold: each asset's price less the
            present value of its residual, as an annuity over its life at the cost of capital.
        index: of all components together; first month 100.
        by_kind: index of each component, in the order of first appearance.
        cost_of_capital: yearly, that `per_hour` counts with.
        sellable_share: of an accelerator's hours, that `per_hour` counts with.
        landings: what came and comes into service, by month.
        notes: what the reader should know.
    """

    per_megawatt: Series
    per_accelerator: Series
    per_hour: Series
    index: Series
    by_kind: tuple[Series, ...]
    cost_of_capital: Fraction
    sellable_share: Fraction
    landings: tuple[Landing, ...]
    notes: tuple[str, ...]


def component_cost(inputs: Inputs, cost_of_capital: Fraction | None = None) -> ComponentCost:
    """The indicator, from assets and their price paths.

    Args:
        inputs: the base case.
        cost_of_capital: yearly; None: that of `Policies.discount_rate`.
    """
    rate = inputs.policies.discount_rate if cost_of_capital is None else cost_of_capital
    coming = tuple(asset for asset in inputs.assets if not asset.standing)
    assets = coming or inputs.assets
    notes = []
    if not coming and assets:
        notes.append("No asset comes into service later: what stands there is priced anew.")
    still = [asset.key for asset in assets if not asset.next_price]
    if still:
        notes.append(f"No price path, so the price that was paid: {', '.join(still)}.")
    share, told = _sellable_share(inputs, assets)
    notes += told
    sizes = _Sizes(assets)

    def priced(month: int) -> dict[str, Fraction]:
        return _by_kind(assets, lambda asset: price_of(asset, month))

    def recovered(month: int) -> dict[str, Fraction]:
        return _by_kind(assets, lambda asset: recovery(asset, price_of(asset, month), rate))

    def megawatt(month: int) -> Measure | None:
        return sizes.per_megawatt(priced(month))

    def accelerator(month: int) -> Measure | None:
        return sizes.per_accelerator(priced(month))

    def hour(month: int) -> Measure | None:
        paid = sizes.per_accelerator(recovered(month))
        if paid is None:
            return None
        return Quotient(over=paid.amounts, under={"hours": HOURS_A_MONTH * share})

    return ComponentCost(
        per_megawatt=_monthly(
            inputs,
            Named(key="cost.per_megawatt", name="landed cost of a megawatt of new capacity",
                  unit=f"{inputs.currency}/MW"),
            megawatt, "no asset says how many megawatts it brings",
        ),
        per_accelerator=_monthly(
            inputs,
            Named(key="cost.per_accelerator", name="landed cost of an accelerator",
                  unit=f"{inputs.currency}/accelerator"),
            accelerator, "no asset brings accelerators",
        ),
        per_hour=_monthly(
            inputs,
            Named(key="cost.per_hour", name="capital cost of a sellable accelerator-hour",
                  unit=f"{inputs.currency}/accelerator-hour"),
            hour, "no asset brings accelerators",
        ),
        index=_index(inputs, assets, "all"),
        by_kind=tuple(
            _index(inputs, tuple(a for a in assets if a.kind == kind), kind)
            for kind in dict.fromkeys(asset.kind for asset in assets)
        ),
        cost_of_capital=rate,
        sellable_share=share,
        landings=landings(inputs),
        notes=tuple(notes),
    )  # fmt: skip


def price_of(asset: Asset, month: int) -> int:
    """What the whole of an asset would cost if it were ordered in a month, pico-units.

    Without a price path it is what is paid for it.
    """
    if not asset.next_price:
        return paid_for(asset)
    unit = asset.next_price[month]
    if asset.next_unit == "an accelerator":
        return unit * asset.accelerators
    if asset.next_unit == "a megawatt":
        return Exact().times(unit, asset.megawatts)
    return unit


def paid_for(asset: Asset) -> int:
    """What is paid for an asset, before the model and within it, pico-units."""
    return asset.opening_cost + sum(flow.amount for flow in asset.payments)


def recovery(asset: Asset, price: int, cost_of_capital: Fraction) -> int:
    """Level payment a month that recovers a price over an asset's life, pico-units.

    `(price - residual / (1 + i)^n) * i / (1 - (1 + i)^-n)` with `i` a twelfth of the yearly rate
    and `n` the months of life; what is never depreciated pays interest alone. Rounded once.
    """
    rate = cost_of_capital / 12
    months = asset.life_months
    if not months:
        return Exact().times(price, rate)
    if rate == 0:
        return Exact().times(price, (1 - asset.residual_share) / months)
    worth = asset.residual_share / (1 + rate) ** months
    return Exact().times(price, (1 - worth) * rate / (1 - 1 / (1 + rate) ** months))


def landings(inputs: Inputs) -> tuple[Landing, ...]:
    """What comes into service within the model, by month and site."""
    groups: dict[tuple[int, str], list[Asset]] = {}
    for asset in inputs.assets:
        if not asset.standing and 0 <= asset.in_service < inputs.months.count:
            groups.setdefault((asset.in_service, asset.site or ""), []).append(asset)
    found = []
    for (month, site), assets in sorted(groups.items()):
        cost: dict[AssetKind, int] = {}
        for asset in assets:
            cost[asset.kind] = cost.get(asset.kind, 0) + paid_for(asset)
        found.append(
            Landing(
                month=inputs.months.labels[month],
                site=site,
                megawatts=_megawatts(assets),
                accelerators=sum(asset.accelerators for asset in assets),
                cost=cost,
            )
        )
    return tuple(found)


def _megawatts(assets: Sequence[Asset]) -> Fraction:
    """Megawatts of a set of assets: at each site those of accelerators, else of the largest kind.

    Accelerators, what cools them and the shell around them serve the same power: it counts once.
    """
    sites: dict[str, dict[AssetKind, Fraction]] = {}
    for asset in assets:
        kinds = sites.setdefault(asset.site or "", {})
        kinds[asset.kind] = kinds.get(asset.kind, Fraction(0)) + asset.megawatts
    whole = Fraction(0)
    for kinds in sites.values():
        whole += kinds.get("accelerators") or max(kinds.values())
    return whole


def _sellable_share(inputs: Inputs, assets: Sequence[Asset]) -> tuple[Fraction, list[str]]:
    """Sellable over standing accelerator-hours of what the assets bring; 1 where nobody knows."""
    wanted = {asset.accelerator for asset in assets if asset.accelerators}
    sellable, standing = Fraction(0), Fraction(0)
    for kind in inputs.installed:
        if kind.accelerator in wanted:
            sellable += sum(kind.sellable, Fraction(0))
            standing += sum(
                24 * inputs.months.days(month) * number
                for month, number in enumerate(kind.installed)
            )
    if sellable > 0 and standing > 0:
        return min(sellable / standing, Fraction(1)), []
    return Fraction(1), ["Nobody says how many hours can be sold: all of them are counted."]


def _by_kind(assets: Sequence[Asset], amount: Callable[[Asset], int]) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for asset in assets:
        found[asset.kind] = found.get(asset.kind, Fraction(0)) + Fraction(amount(asset), PICO)
    return found


class _Sizes:
    """How much power and how many accelerators a set of assets is for, component by component."""

    def __init__(self, assets: Sequence[Asset]) -> None:
        self.accelerators = sum(asset.accelerators for asset in assets)
        self._megawatts: dict[str, Fraction] = {}
        for asset in assets:
            known = self._megawatts.get(asset.kind, Fraction(0))
            self._megawatts[asset.kind] = known + asset.megawatts
        self._usual = self._megawatts.get("accelerators") or max(
            self._megawatts.values(), default=Fraction(0)
        )

    def per_megawatt(self, cost: Mapping[str, Fraction]) -> Total | None:
        """Each component over the megawatts that it is built for, added up; None if none says."""
        if not self._usual:
            return None
        return Total(amounts={kind: value / self._of(kind) for kind, value in cost.items()})

    def per_accelerator(self, cost: Mapping[str, Fraction]) -> Total | None:
        """The same for the megawatts of one accelerator; None without accelerators.

        Where these say no megawatts, each component over their number.
        """
        if not self.accelerators:
            return None
        each = self._megawatts.get("accelerators", Fraction(0)) / self.accelerators
        return Total(
            amounts={
                kind: value * each / self._of(kind) if each else value / self.accelerators
                for kind, value in cost.items()
            }
        )

    def _of(self, kind: str) -> Fraction:
        return self._megawatts.get(kind) or self._usual


def _index(inputs: Inputs, assets: Sequence[Asset], kind: str) -> Series:
    first = sum(price_of(asset, 0) for asset in assets)
    together = kind == "all"

    def measure(month: int) -> Measure:
        over: dict[str, Fraction] = {}
        for asset in assets:
            name = asset.kind if together else asset.key
            over[name] = over.get(name, Fraction(0)) + price_of(asset, month)
        return Quotient(over=over, under={"first month": Fraction(first)}, scale=100)

    name = "price index of all components" if together else f"price index of {kind}"
    return _monthly(
        inputs,
        Named(key=f"cost.index.{kind}", name=name, unit="first month = 100"),
        measure,
        "nothing of it has a price",
    )


def _monthly(
    inputs: Inputs, named: Named, measure: Callable[[int], Measure | None], unknown: str
) -> Series:
    return series_of(
        named,
        [
            Reading(month=label, origin="planned", measure=measure(month), unknown=unknown)
            for month, label in enumerate(inputs.months.labels)
        ],
    )
