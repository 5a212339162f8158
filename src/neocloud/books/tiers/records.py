"""Cost and margin by tier as they are published. Amounts are exact decimals of the currency."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What one thing cost in the period.

    Attributes:
        name: what for; `idle`, `spare` and `down` hold all costs of such hours.
        amount: in the cloud's currency.
        cash: the part of it that is paid in the period; the rest is depreciation and imputed
            interest.
    """

    name: str
    amount: Decimal
    cash: Decimal


class TierLine(msgspec.Struct, frozen=True, kw_only=True):
    """One tier: what it costs, and what it earned or would have earned.

    Attributes:
        tier: power, accelerator_hour or token.
        lines: its own costs; each cost of the period stands in exactly one line of one tier.
        cost: their sum.
        cost_so_far: with the tiers before it.
        quantity: what the tier made, in `unit`.
        unit: MWh drawn, accelerator-hours used, or Mtok.
        revenue: what that would have earned if sold as it is; of tokens, what they and the
            contracts by the hour did earn. None where no price is known.
        margin: revenue less `cost_so_far`.
        basis: which prices the revenue rests on.
    """

    tier: str
    lines: tuple[Line, ...]
    cost: Decimal
    cost_so_far: Decimal
    quantity: float
    unit: str
    revenue: Decimal | None
    margin: Decimal | None
    basis: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """That nothing is lost between the tiers: they sum to what was to be paid and written off.

    Attributes:
        power: cost of the tier; so the next two.
        accelerator_hour: see power.
        token: see power.
        cash: what the bills of the period come to.
        non_cash: depreciation and imputed interest.
        difference: tiers less cash and non-cash; 0 or the books are wrong.
        residue: what rounding the bills to 1e-12 of the currency added to the exact amounts.
    """

    power: Decimal
    accelerator_hour: Decimal
    token: Decimal
    cash: Decimal
    non_cash: Decimal
    difference: Decimal
    residue: Decimal


class PowerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One power contract over the period.

    Attributes:
        site: site key.
        contract: its place in the site's list, from 1.
        kind: grid, ppa, stranded_gas or on_site.
        source: what the power is made from.
        price_per_mwh: in the cloud's currency.
        drawn_mwh: energy at the site's meter.
        beyond_mwh: of it, what no contract could give; billed at this one's price.
        obliged_mwh: energy that is paid for at least.
        undrawn_mwh: of it, what was not drawn.
        peak_kw: highest hourly mean.
        energy: what the drawn energy costs; cooling and losses included.
        undrawn: what take-or-pay adds.
        demand_charge: price of the peak.
        carbon: price of the emissions.
    """

    site: str
    contract: int
    kind: str
    source: str
    price_per_mwh: Decimal
    drawn_mwh: float
    beyond_mwh: float
    obliged_mwh: float
    undrawn_mwh: float
    peak_kw: float
    energy: Decimal
    undrawn: Decimal
    demand_charge: Decimal
    carbon: Decimal


class HoursLine(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerator-hours of one pool. The uses sum to `standing` unless more was held than stands.

    Attributes:
        site: site key.
        pool: pool key.
        accelerator: accelerator key.
        standing: of all nodes; of rented ones, what was held.
        sellable: without spare nodes, times `availability`.
        inference: held by replicas.
        training: held for training; so `backfill` and `test`.
        backfill: see training.
        test: see training.
        down: held by replicas that did not work.
        spare: of spare nodes that nobody holds.
        idle: the rest.
        busy: of inference, those in which steps ran.
    """

    site: str
    pool: str
    accelerator: str
    standing: float
    sellable: float
    inference: float
    training: float
    backfill: float
    test: float
    down: float
    spare: float
    idle: float
    busy: float


class Utilisation(msgspec.Struct, frozen=True, kw_only=True):
    """Four ratios, each of its own; None where there is nothing to divide by.

    Attributes:
        contracted: accelerator-hours under contract over sellable ones.
        used: used ones over sellable ones.
        busy: hours in which engines ran steps over hours that replicas held.
        goodput: requests within the objective over all.
        inference_of_used: inference hours over used ones.
        inference_of_sellable: inference hours over sellable ones.
    """

    contracted: float | None
    used: float | None
    busy: float | None
    goodput: float | None
    inference_of_used: float | None
    inference_of_sellable: float | None


class ModelLine(msgspec.Struct, frozen=True, kw_only=True):
    """One model: cost of a million tokens beside what they sell for. Input and output alike.

    Attributes:
        model: model key.
        tokens: input and output.
        cost: of the hours that served it; None without tokens.
        cost_with_idle: with its part of idle, spare and down hours, by cost.
        sold: at the file's list prices.
        market_low: of the cheapest provider of the catalog; None where nobody offers it.
        market_median: of the one in the middle.
        market_high: of the dearest.
        providers: how many there are.
        carbon_g_location: grams for a million tokens, by the grids of the sites.
        carbon_g_market: grams for a million tokens, by the power contracts.
    """

    model: str
    tokens: int
    cost: float | None
    cost_with_idle: float | None
    sold: float | None
    market_low: float | None
    market_median: float | None
    market_high: float | None
    providers: int
    carbon_g_location: float | None
    carbon_g_market: float | None


class Carbon(msgspec.Struct, frozen=True, kw_only=True):
    """Emissions of the energy drawn.

    Attributes:
        location_kg: by the grids of the sites.
        market_kg: by the power contracts.
        location_g_per_mtok: of the hours that served, for a million tokens.
        market_g_per_mtok: see location_g_per_mtok.
    """

    location_kg: float
    market_kg: float
    location_g_per_mtok: float | None
    market_g_per_mtok: float | None


class GroupLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Costs and earnings that are alike in what was asked to tell them apart by.

    Attributes:
        site: site key; empty where it is of none.
        pool: pool key; empty where it is of none.
        model: model key; empty where it is of none.
        tenant: tenant id; empty where it is of none.
        use: what accelerators were held for.
        month: UTC: 2026-10.
        day: UTC: 2026-10-05.
        hour: UTC: 2026-10-05T13.
        power: cost of the tier; so the next two.
        accelerator_hour: see power.
        token: see power.
        cost: of all tiers.
        revenue: tokens and contracts as sold.
        margin: revenue less cost.
        energy_if_sold: as in the power tier; None where that is.
        hours_if_rented: as in the accelerator-hour tier; None where that is.
        tokens: input and output.
        accelerator_hours: held, spare or idle.
        energy_kwh: at the sites' meters.
        carbon_kg_location: by the grids of the sites.
        carbon_kg_market: by the power contracts.
    """

    site: str | UnsetType = UNSET
    pool: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    tenant: str | UnsetType = UNSET
    use: str | UnsetType = UNSET
    month: str | UnsetType = UNSET
    day: str | UnsetType = UNSET
    hour: str | UnsetType = UNSET
    power: Decimal
    accelerator_hour: Decimal
    token: Decimal
    cost: Decimal
    revenue: Decimal
    margin: Decimal
    energy_if_sold: Decimal | None
    hours_if_rented: Decimal | None
    tokens: int
    accelerator_hours: float
    energy_kwh: float
    carbon_kg_location: float
    carbon_kg_market: float


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What one cause adds to revenue at list prices on the way to the invoices.

    Attributes:
        cause: one of `DIFFERENCES`.
        amount: in the cloud's currency.
    """

    cause: str
    amount: Decimal


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice of the period, or what it would say.

    Attributes:
        tenant: tenant id.
        kind: invoice, preview or specimen.
        number: of an invoice; empty for what is none.
        period: start and end, UTC.
        currency: of the next four.
        subtotal: sum of its lines.
        credits_used: prepaid credits that pay for it.
        tax: on what is left.
        total: what is to be paid.
        revenue: the subtotal in the cloud's currency, to 1e-12.
    """

    tenant: str
    kind: str
    number: str
    period: str
    currency: str
    subtotal: Decimal
    credits_used: Decimal
    tax: Decimal
    total: Decimal
    revenue: Decimal


class Invoiced(msgspec.Struct, frozen=True, kw_only=True):
    """From revenue as the tiers have it to what was invoiced: the first, all differences, the last.

    Attributes:
        tiers: revenue of the token tier: list prices and contracts by the hour.
        differences: by cause, and they add up; what comes to nothing is left out.
        invoiced: subtotals of the documents, before credits and tax, in the cloud's currency.
        margin: `invoiced` less the cost of all tiers.
        documents: by tenant.
    """

    tiers: Decimal
    differences: tuple[Difference, ...]
    invoiced: Decimal
    margin: Decimal
    documents: tuple[DocumentLine, ...]


class TierReport(msgspec.Struct, frozen=True, kw_only=True):
    """Cost and margin of a period by tier.

    Attributes:
        period: start and end, UTC.
        currency: of all amounts.
        emulated: True where emulated engines answered: energy and speed are a model's, and nothing
            was sold.
        tiers: power, accelerator-hour, token.
        identity: that they add up.
        power: the power contracts.
        hours: the pools.
        utilisation: over all pools.
        models: what tokens cost and sell for.
        carbon: emissions.
        by: what `groups` are told apart by.
        groups: the same costs by site, model, tenant or what was asked.
        trend: the same costs by month, or of a single month by day, or of a single day by hour.
        invoiced: how revenue at list prices leads to the invoices; None where none were made.
        notes: what is not known or not as it should be, in words.
    """

    period: str
    currency: str
    emulated: bool
    tiers: tuple[TierLine, ...]
    identity: Identity
    power: tuple[PowerLine, ...]
    hours: tuple[HoursLine, ...]
    utilisation: Utilisation
    models: tuple[ModelLine, ...]
    carbon: Carbon
    by: tuple[str, ...]
    groups: tuple[GroupLine, ...]
    trend: tuple[GroupLine, ...]
    invoiced: Invoiced | None
    notes: tuple[str, ...]
