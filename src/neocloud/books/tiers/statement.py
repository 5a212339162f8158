"""`make_tiers`: cost and margin of a period by tier, laid out from its books."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from neocloud.activity import Purpose, Row
from neocloud.books.tiers.account import Books, Entry, books_of
from neocloud.books.tiers.cells import REMOTE, SPARE, Cell, Served
from neocloud.books.tiers.documents import Documents
from neocloud.books.tiers.exact import from_pico
from neocloud.books.tiers.groups import BY_DEFAULT, grain_of, group_lines, trend_of
from neocloud.books.tiers.invoiced import invoiced
from neocloud.books.tiers.items import Account, Tier
from neocloud.books.tiers.market import contracted_hours, hourly_contracts
from neocloud.books.tiers.models import carbon_of, model_lines
from neocloud.books.tiers.power import price_per_kwh
from neocloud.books.tiers.records import (
    HoursLine,
    Identity,
    Line,
    PowerLine,
    TierLine,
    TierReport,
    Utilisation,
)
from neocloud.catalog import Catalog
from neocloud.spec import Cloud
from neocloud.units import Period

_APART = (Purpose.IDLE.value, SPARE, Purpose.DOWN.value)
"""Uses that stand on lines of their own, whatever they cost."""
_ENERGY = (Account.ENERGY, Account.FACILITY_ENERGY)
_RESIDUE_DIGITS = Decimal(1).scaleb(-18)


def make_tiers(
    cloud: Cloud,
    catalog: Catalog,
    rows: Iterable[Row],
    sold: Mapping[Cell, Served],
    period: Period,
    by: Sequence[str] = BY_DEFAULT,
    documents: Documents | None = None,
) -> TierReport:
    """Lay out a period.

    Args:
        cloud: a checked cloud.
        catalog: the catalog.
        rows: activity of the period, of one source.
        sold: requests and tokens that tenants pay for, as `billed` gives them.
        period: what is billed.
        by: what groups are told apart by, of `DIMENSIONS`.
        documents: of the period; None where none were made.

    Raises:
        UnknownPoolError: something was held where the cloud has no pool and rents none.
    """
    listed = list(rows)
    trend = trend_of(period)
    books = books_of(cloud, catalog, listed, sold, period, grain_of((*by, *trend)))
    return TierReport(
        period=str(period),
        currency=cloud.currency,
        emulated=any(row.emulated for row in listed),
        tiers=_tiers(books),
        identity=_identity(books),
        power=_power(cloud, books),
        hours=_hours(books),
        utilisation=_utilisation(cloud, books, period),
        models=model_lines(cloud, catalog, books),
        carbon=carbon_of(books),
        by=tuple(by),
        groups=group_lines(books, by),
        trend=group_lines(books, trend) if trend else (),
        invoiced=None if documents is None else invoiced(cloud, books, documents),
        notes=_notes(cloud, books),
    )


def line_name(entry: Entry) -> str:
    """The line that an entry stands in: each in one."""
    if entry.tier is Tier.ACCELERATOR_HOUR and entry.cell.use in _APART:
        return entry.cell.use
    if entry.account in _ENERGY and entry.cell.use in _APART:
        return f"energy while {entry.cell.use}"
    return entry.account.value


def _tiers(books: Books) -> tuple[TierLine, ...]:
    drawn = math.fsum(
        kwh
        for hours in books.usage.kwh.values()
        for part in hours.values()
        for kwh in part.values()
    )
    tokens = sum(what.input_tokens + what.output_tokens for what in books.usage.served.values())
    quantities = {
        Tier.POWER: (drawn / 1e3, "MWh", "the catalog's price of the grid, energy paid for"),
        Tier.ACCELERATOR_HOUR: (
            math.fsum(pool.used for pool in books.hours.values()),
            "accelerator-hours",
            "the catalog's median price on demand, hours used",
        ),
        Tier.TOKEN: (tokens / 1e6, "Mtok", "list prices of the file, contracts by the hour"),
    }
    worth = {tier: sum(by_cell.values()) for tier, by_cell in books.worth.items()}
    worth[Tier.TOKEN] = sum(books.earned.values())
    found, so_far = [], 0
    for tier in Tier:
        lines = _lines([entry for entry in books.entries if entry.tier is tier])
        own = books.pico(tier)
        so_far += own
        quantity, unit, basis = quantities[tier]
        revenue = worth.get(tier)
        found.append(
            TierLine(
                tier=tier.value,
                lines=lines,
                cost=from_pico(own),
                cost_so_far=from_pico(so_far),
                quantity=quantity,
                unit=unit,
                revenue=None if revenue is None else from_pico(revenue),
                margin=None if revenue is None else from_pico(revenue - so_far),
                basis=basis,
            )
        )
    return tuple(found)


def _lines(entries: Iterable[Entry]) -> tuple[Line, ...]:
    """In the order of the accounts, what stands apart last."""
    sums: dict[str, list[int]] = {account.value: [0, 0] for account in Account}
    for entry in entries:
        line = sums.setdefault(line_name(entry), [0, 0])
        line[0] += entry.pico
        line[1] += entry.cash_pico
    order = [*(account.value for account in Account), *sorted(set(sums) - set(Account))]
    return tuple(
        Line(name=name, amount=from_pico(sums[name][0]), cash=from_pico(sums[name][1]))
        for name in order
        if sums[name][0]
    )


def _identity(books: Books) -> Identity:
    """Tiers from the entries of cells, cash and non-cash from the bills: two ways to one sum."""
    tiers = {tier: books.pico(tier) for tier in Tier}
    bills = {True: 0, False: 0}
    for item in books.items:
        bills[item.cash] += item.pico
    difference = sum(tiers.values()) - sum(bills.values())
    return Identity(
        power=from_pico(tiers[Tier.POWER]),
        accelerator_hour=from_pico(tiers[Tier.ACCELERATOR_HOUR]),
        token=from_pico(tiers[Tier.TOKEN]),
        cash=from_pico(bills[True]),
        non_cash=from_pico(bills[False]),
        difference=from_pico(difference),
        residue=_shown(books.residue()),
    )


def _shown(value: Fraction) -> Decimal:
    """A fraction to 18 decimals."""
    return Decimal(round(value * 10**18)).scaleb(-18).quantize(_RESIDUE_DIGITS)


def _power(cloud: Cloud, books: Books) -> tuple[PowerLine, ...]:
    found = []
    for key, bills in books.bills.items():
        site = cloud.sites[key]
        for number, contract in enumerate(site.power, 1):
            own = [bill for bill in bills if bill.number == number]
            costs = dict.fromkeys(Account, 0)
            for item in books.items:
                if (item.site, item.contract) == (key, number):
                    costs[item.account] += item.pico
            found.append(
                PowerLine(
                    site=key,
                    contract=number,
                    kind=contract.kind,
                    source=contract.source,
                    price_per_mwh=_decimal(price_per_kwh(cloud, contract) * 1000),
                    drawn_mwh=math.fsum(bill.total_kwh for bill in own) / 1e3,
                    beyond_mwh=math.fsum(bill.beyond_kwh for bill in own) / 1e3,
                    obliged_mwh=math.fsum(bill.obliged_kwh for bill in own) / 1e3,
                    undrawn_mwh=math.fsum(bill.undrawn_kwh for bill in own) / 1e3,
                    peak_kw=max(bill.peak_kw for bill in own),
                    energy=from_pico(costs[Account.ENERGY] + costs[Account.FACILITY_ENERGY]),
                    undrawn=from_pico(costs[Account.UNDRAWN]),
                    demand_charge=from_pico(costs[Account.DEMAND_CHARGE]),
                    carbon=from_pico(costs[Account.CARBON]),
                )
            )
    return tuple(found)


def _decimal(value: Fraction) -> Decimal:
    """A fraction that comes from decimals, as a decimal again."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def _hours(books: Books) -> tuple[HoursLine, ...]:
    busy: dict[tuple[str, str], float] = {}
    for cell, hours in books.usage.busy_hours.items():
        place = (cell.site, cell.pool)
        if cell.use == Purpose.INFERENCE:
            busy[place] = busy.get(place, 0.0) + hours
    return tuple(
        HoursLine(
            site=pool.site,
            pool=pool.pool,
            accelerator=pool.accelerator,
            standing=pool.standing,
            sellable=pool.sellable,
            inference=pool.of(Purpose.INFERENCE),
            training=pool.of(Purpose.TRAINING),
            backfill=pool.of(Purpose.BACKFILL),
            test=pool.of(Purpose.TEST),
            down=pool.of(Purpose.DOWN),
            spare=pool.of(SPARE),
            idle=pool.of(Purpose.IDLE),
            busy=busy.get(place, 0.0),
        )
        for place, pool in books.hours.items()
    )


def _utilisation(cloud: Cloud, books: Books, period: Period) -> Utilisation:
    lines = _hours(books)
    sellable = math.fsum(line.sellable for line in lines)
    used = math.fsum(pool.used for pool in books.hours.values())
    inference = math.fsum(line.inference for line in lines)
    contracted = float(sum(contracted_hours(c, period) for c in hourly_contracts(cloud)))
    requests = sum(what.requests for what in books.usage.served.values())
    within = sum(what.within_objective for what in books.usage.served.values())
    return Utilisation(
        contracted=_ratio(contracted, sellable),
        used=_ratio(used, sellable),
        busy=_ratio(math.fsum(line.busy for line in lines), inference),
        goodput=_ratio(within, requests),
        inference_of_used=_ratio(inference, used),
        inference_of_sellable=_ratio(inference, sellable),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _notes(cloud: Cloud, books: Books) -> tuple[str, ...]:
    notes = [
        f"{line.site}: {line.beyond_mwh:.3g} MWh were drawn beyond what the contracts give, billed "
        f"at the price of contract {line.contract}"
        for line in _power(cloud, books)
        if line.beyond_mwh > 0.0
    ]
    for hours in _hours(books):
        over = hours.standing - math.fsum(
            (hours.inference, hours.training, hours.backfill, hours.test, hours.down)
        )
        if over < -1e-6 * hours.standing:
            notes.append(
                f"{hours.site}/{hours.pool}: {-over:.3g} accelerator-hours more were held than "
                "stand there"
            )
    notes += [
        f"{name}: the catalog knows no price to sell its hours or energy at"
        for name in books.unpriced
    ]
    if any(c.kind in ("provisioned", "last_resort") for c in cloud.contracts):
        notes.append(
            "contracts that are provisioned or of last resort are not in the revenue of the tiers, "
            "which is at list prices, but in what was invoiced"
        )
    if unbought := _unbought(cloud, books):
        notes.append(f"remote {', '.join(unbought)}: what its tokens cost is not known")
    return tuple(notes)


def _unbought(cloud: Cloud, books: Books) -> list[str]:
    """Servers of others that answered, and of which the file gives no price."""
    there = {cell.pool for cell in books.usage.served if cell.site == REMOTE}
    remotes = cloud.gateway.remotes
    return sorted(key for key in there if key not in remotes or remotes[key].price_per_mtok is None)
