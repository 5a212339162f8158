"""What secures a facility: status, value, and the contracts that each asset serves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import msgspec

from neocloud.finance.arithmetic import Exact
from neocloud.finance.lender.records import Status, TapeLine, Terms
from neocloud.finance.lender.shown import amount, ratio
from neocloud.finance.outcome import AssetLines, Outcome
from neocloud.finance.records import Asset, Contract, Facility, Inputs


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """A contract that an asset serves, and the share of the asset that it holds."""

    contract: str
    customer: str
    credit: str
    share: Fraction


class Collateral(msgspec.Struct, frozen=True, kw_only=True):
    """An asset at the end of a month. Money in pico-units.

    Attributes:
        asset: the asset.
        status: whether it serves.
        age_months: months in service; 0 in construction.
        in_service: month of service.
        cost: paid so far.
        book: less depreciation.
        appraised: what it is worth.
        appraisal: how that was found, in words.
        serving: contracts in the order of the file; their shares sum to at most 1.
    """

    asset: Asset
    status: Status
    age_months: int
    in_service: int
    cost: int
    book: int
    appraised: int
    appraisal: str
    serving: tuple[Serving, ...]


def collateral_of(
    inputs: Inputs, outcome: Outcome, facility: Facility, month: int, terms: Terms
) -> tuple[Collateral, ...]:
    """All assets that secure a facility, in the order of the file."""
    serving = _serving(inputs, outcome, facility, month)
    return tuple(
        _collateral(asset, lines, month, terms, serving[asset.key])
        for asset, lines in zip(inputs.assets, outcome.assets, strict=True)
        if asset.key in facility.collateral
    )


def _collateral(
    asset: Asset, lines: AssetLines, month: int, terms: Terms, serving: tuple[Serving, ...]
) -> Collateral:
    cost = asset.opening_cost + sum(lines.paid[: month + 1])
    service, book = int(lines.in_service), lines.book[month]
    status: Status = "in service"
    if month < service:
        status = "in construction"
    elif any(lines.proceeds[: month + 1]) or (not book and month >= _end(asset, service)):
        status = "gone"
    age = max(0, month - service + 1)
    value, how = _appraised(asset, status, (age, cost, book), terms)
    return Collateral(
        asset=asset,
        status=status,
        age_months=age,
        in_service=service,
        cost=cost,
        book=book,
        appraised=value,
        appraisal=how,
        serving=serving,
    )


def _end(asset: Asset, service: int) -> float:
    """Month in which an asset is no longer there."""
    if not asset.life_months:
        return math.inf
    return max(service, 0) + max(1, asset.life_months - max(0, -service))


def _appraised(
    asset: Asset, status: Status, known: tuple[int, int, int], terms: Terms
) -> tuple[int, str]:
    age, cost, book = known
    if status == "in construction":
        return cost, "what was paid so far"
    if status == "gone":
        return 0, "sold or worn out"
    for decay in terms.decay:
        if decay.kind == asset.kind:
            share = decay.floor + (1 - decay.floor) * (1 - decay.monthly) ** age
            how = f"less {float(100 * decay.monthly):g} % a month, not below "
            return Exact().times(cost, share), f"{how}{float(100 * decay.floor):g} % of cost"
    return book, "book value"


def _serving(
    inputs: Inputs, outcome: Outcome, facility: Facility, month: int
) -> Mapping[str, tuple[Serving, ...]]:
    """Which contracts each asset serves, and how much of it they hold.

    A contract's accelerators lie in the assets with accelerators that it requires; if it requires
    none, in all that have its kind; of several in proportion to what each has. What has no
    accelerators serves the same contracts as the collateral's accelerators of its site, or as all
    of the collateral's where the site has none; where contracts require it, these alone. Collateral
    without any accelerators serves the contracts behind it in equal shares.
    """
    live = _live(inputs, outcome, facility, month)
    places = [asset for asset in inputs.assets if asset.accelerators]
    taken = _taken(live, places)
    ours = [asset for asset in places if asset.key in facility.collateral]
    found = {}
    for asset in inputs.assets:
        if asset.key not in facility.collateral:
            continue
        if asset.accelerators:
            shares = dict(taken[asset.key])
        else:
            near = [other for other in ours if other.site == asset.site] or ours
            shares = _beside(live, taken, near)
            wanted = [c.key for c, _ in live if asset.key in c.requires]
            if wanted:
                shares = {key: share for key, share in shares.items() if key in wanted}
        found[asset.key] = tuple(
            Serving(
                contract=contract.key,
                customer=contract.customer,
                credit=contract.credit or "unrated",
                share=shares[contract.key],
            )
            for contract, _ in live
            if shares.get(contract.key)
        )
    return found


def _live(
    inputs: Inputs, outcome: Outcome, facility: Facility, month: int
) -> list[tuple[Contract, int]]:
    """Signed contracts behind a facility that still have something to deliver, with their size."""
    found = []
    for contract, lines in zip(inputs.contracts, outcome.contracts, strict=True):
        behind = not facility.contracts or contract.key in facility.contracts
        signed = contract.probability == 1 and contract.signed <= month
        if behind and signed and contract.last + lines.shift >= month:
            at = max(0, month - lines.shift)
            found.append((contract, max(contract.accelerators[at:], default=0)))
    return found


def _taken(live: list[tuple[Contract, int]], places: list[Asset]) -> dict[str, dict[str, Fraction]]:
    """Shares of each asset with accelerators that contracts hold; together at most 1."""
    taken: dict[str, dict[str, Fraction]] = {asset.key: {} for asset in places}
    for contract, size in live:
        own = [asset for asset in places if asset.key in contract.requires] or [
            asset for asset in places if contract.accelerator in (None, asset.accelerator)
        ]
        room = sum(asset.accelerators for asset in own)
        for asset in own:
            if size:
                taken[asset.key][contract.key] = Fraction(size, room)
    for shares in taken.values():
        whole = sum(shares.values(), Fraction(0))
        if whole > 1:
            shares.update({key: share / whole for key, share in shares.items()})
    return taken


def _beside(
    live: list[tuple[Contract, int]], taken: dict[str, dict[str, Fraction]], near: list[Asset]
) -> dict[str, Fraction]:
    """Shares of what stands beside some accelerators."""
    if not near:
        return {contract.key: Fraction(1, len(live)) for contract, _ in live}
    room = sum(asset.accelerators for asset in near)
    shares: dict[str, Fraction] = {}
    for asset in near:
        for key, share in taken[asset.key].items():
            part = share * Fraction(asset.accelerators, room)
            shares[key] = shares.get(key, Fraction(0)) + part
    return shares


def tape_of(inputs: Inputs, collateral: tuple[Collateral, ...]) -> tuple[TapeLine, ...]:
    """The collateral tape."""
    return tuple(
        TapeLine(
            asset=item.asset.key,
            kind=item.asset.kind,
            site=item.asset.site or "",
            accelerator=item.asset.accelerator or "",
            accelerators=item.asset.accelerators,
            megawatts=ratio(item.asset.megawatts),
            in_service=f"{inputs.months.start(item.in_service):%Y-%m}",
            status=item.status,
            age_months=item.age_months,
            cost=amount(item.cost),
            book=amount(item.book),
            appraised=amount(item.appraised),
            appraisal=item.appraisal,
            contracts=tuple(each.contract for each in item.serving),
            customers=tuple(each.customer for each in item.serving),
            credits=tuple(each.credit for each in item.serving),
            contracted=ratio(sum((each.share for each in item.serving), Fraction(0))),
        )
        for item in collateral
    )
