"""What the finance model reads: `Inputs`, exact, by month. No logic here.

Money is whole pico-units, 1e-12 of the cloud's currency. Rates and shares are `Fraction`, rates by
year. `by month` is a tuple with one element for each month of `Inputs.months`; a month is an index
that may be negative (before the first) or beyond the last. Signs: what is named an income, a cost,
a debt or a payment is positive.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import msgspec

from neocloud.finance.facility import Conversion, Covenants, Facility, Flow
from neocloud.finance.months import Months

__all__ = [
    "Asset",
    "ByMonth",
    "Contract",
    "Conversion",
    "Cost",
    "Covenants",
    "Facility",
    "Flow",
    "Inputs",
    "Installed",
    "Leaving",
    "Merchant",
    "Months",
    "Opening",
    "Policies",
    "Power",
]

ByMonth = tuple[int, ...]
"""Money in pico-units, one element a month of the model."""

ContractKind = Literal["reserved", "dedicated", "provisioned", "last_resort"]
Source = Literal["tokens", "hours"]
CostKind = Literal[
    "power", "demand_charge", "fuel", "colocation", "staff", "maintenance", "network", "bandwidth",
    "insurance", "overhead", "rent", "other",
]  # fmt: skip
AssetKind = Literal[
    "accelerators", "networking", "storage", "cooling", "transformers", "generation", "shell",
    "land", "other",
]  # fmt: skip
Rung = Literal["reserved", "contracted", "connected", "active"]


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """How a customer may end a contract.

    Attributes:
        earliest: month from which it may.
        notice_months: months of notice.
        fee_share: share of what would still have been earned that it pays when it leaves, whether
            it had the right to or not. 0: nothing.
    """

    earliest: int
    notice_months: int
    fee_share: Fraction


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """Revenue that a customer has bound itself to, or may (`weight` below 1).

    The term moves as a whole to later months where an asset that it `requires` is in service after
    `first`: what is earned, received and released moves along.

    Attributes:
        key: unique among contracts.
        customer: tenant key.
        credit: class of the customer's credit, in the words of the cloud file; empty if unknown.
        kind: as in the cloud file.
        purpose: what its accelerators are held for: training, inference, backfill, test.
        model: model key of `dedicated` and `provisioned`.
        lab: who made the model, empty if unknown.
        accelerator: accelerator key, None for any.
        probability: chance that it is signed; 1 where it is.
        weight: how much of it the model counts: 1 where signed; for the pipeline 0, or its
            probability where the reader asked for the expected value.
        signed: month of signing, expected for the pipeline; what is booked is booked in it.
        first: month of the first delivery.
        last: month of the last.
        accelerators: by month, delivered.
        hours: accelerator-hours by month, delivered; 0 for `provisioned`.
        price: by month, pico-units of an accelerator-hour (a million tokens for `provisioned`).
        earned: by month, at the use that the base case expects; never below `committed`.
        committed: by month, paid whether used or not.
        received: by month, prepayments when their cash comes.
        released: by month, prepayments credited to invoices; at most `earned`.
        opening_prepaid: prepayments received before the first month and not yet released.
        requires: keys of the assets that must be in service.
        leaving: how it may be ended; None if it may not.
        market_price: by month, pico-units of an accelerator-hour at which what the customer leaves
            behind is let again; empty where no price is known.
    """

    key: str
    customer: str
    first: int
    last: int
    earned: ByMonth
    committed: ByMonth
    credit: str = ""
    kind: ContractKind = "reserved"
    purpose: str = "training"
    model: str | None = None
    lab: str = ""
    accelerator: str | None = None
    probability: Fraction = Fraction(1)
    weight: Fraction = Fraction(1)
    signed: int = 0
    accelerators: tuple[int, ...] = ()
    hours: tuple[Fraction, ...] = ()
    price: ByMonth = ()
    received: ByMonth = ()
    released: ByMonth = ()
    opening_prepaid: int = 0
    requires: tuple[str, ...] = ()
    leaving: Leaving | None = None
    market_price: ByMonth = ()


class Merchant(msgspec.Struct, frozen=True, kw_only=True):
    """Revenue that nobody is bound to: tokens at list prices, and accelerators by the hour.

    Attributes:
        key: unique among merchant lines.
        source: `tokens` follow the price of tokens, `hours` the rental price.
        customer: tenant key; empty for many.
        credit: class of its credit.
        model: model key of tokens.
        lab: who made the model, empty if unknown.
        accelerator: accelerator key, None for any.
        purpose: what the accelerators do.
        hours: accelerator-hours by month, used.
        earned: by month.
        requires: keys of the assets that must be in service; it moves along as a contract does.
        first: month of the first sale, from which it moves.
    """

    key: str
    source: Source
    earned: ByMonth
    customer: str = ""
    credit: str = ""
    model: str | None = None
    lab: str = ""
    accelerator: str | None = None
    purpose: str = "inference"
    hours: tuple[Fraction, ...] = ()
    requires: tuple[str, ...] = ()
    first: int = 0


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """Accelerators of one kind, of all sites.

    Attributes:
        accelerator: accelerator key.
        installed: by month, in service.
        spare: by month, held back.
        sellable: accelerator-hours by month that can be sold.
    """

    accelerator: str
    installed: tuple[int, ...]
    spare: tuple[int, ...]
    sellable: tuple[Fraction, ...]


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """A rung of the power ladder at a site.

    Attributes:
        site: site key.
        rung: `active` power serves, `connected` could, `contracted` is signed, `reserved` is held.
        megawatts: by month.
    """

    site: str
    rung: Rung
    megawatts: tuple[Fraction, ...]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """An operating cost.

    Attributes:
        key: unique among costs.
        kind: what it is; `power`, `demand_charge` and `fuel` follow the price of power.
        fixed: by month, whatever is used.
        variable: by month at the use of the base case; moves with use.
        site: site key; None of no one site.
        contracts: contracts that it is incurred for alone; empty: borne by all revenue alike.
        requires: assets before which nothing of it is due; it moves along as a contract does.
        first: month of its first payment, from which it moves.
    """

    key: str
    kind: CostKind
    fixed: ByMonth
    variable: ByMonth = ()
    site: str | None = None
    contracts: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    first: int = 0


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Something owned or being built.

    Straight-line depreciation to the residual value from the month of service on, over
    `life_months`; in the month after the last it is sold at the residual value.

    Attributes:
        key: unique among assets.
        kind: costs are followed by kind.
        site: site key; None of no one site.
        payments: what is still to pay within the model, none after the month of service.
        in_service: month of service, from whose start it is depreciated.
        life_months: months of depreciation; 0: never (land), and never sold.
        residual_share: of what it cost.
        opening_cost: what of its price was paid before the first month.
        opening_depreciation: what of that is depreciated by then.
        standing: it works on the first day already, so no delay moves it. `in_service` may then be
            negative, or 0 for a pool that counts as bought at the start.
        accelerator: key of what it holds, None if it holds none.
        accelerators: how many of them.
        megawatts: power that it serves, 0 if it says nothing of that.
        next_price: by month, what the next one of its kind would cost: the price path.
        next_unit: what that price is of, in words ("one node", "a megawatt", "the whole").
        ordered: month of the order.
    """

    key: str
    kind: AssetKind
    in_service: int
    life_months: int
    payments: tuple[Flow, ...] = ()
    site: str | None = None
    residual_share: Fraction = Fraction(0)
    opening_cost: int = 0
    opening_depreciation: int = 0
    standing: bool = False
    accelerator: str | None = None
    accelerators: int = 0
    megawatts: Fraction = Fraction(0)
    next_price: ByMonth = ()
    next_unit: str = "the whole"
    ordered: int = 0


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The balance before the first month, beside what assets, contracts and facilities say.

    What balances it is retained earnings, which may be negative.

    Attributes:
        cash: without reserve accounts.
        receivables: collected over `Policies.receivable_days`.
        payables: paid over `Policies.payable_days`.
        paid_in: equity paid in so far.
        tax_losses: losses that may still be set against profit.
    """

    cash: int = 0
    receivables: int = 0
    payables: int = 0
    paid_in: int = 0
    tax_losses: int = 0


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """How the company handles its money.

    Attributes:
        minimum_cash: what a revolver keeps filled and the runway ends below.
        receivable_days: days until customers pay; a month's invoices accrue evenly over its days.
        payable_days: days until suppliers are paid.
        tax_rate: on the profit of a calendar year after losses carried forward.
        loss_use_share: most of a year's profit that old losses are set against.
        distribution_share: of the cash above the minimum that is paid out to owners; 0: nothing.
        distributions_from: month from which.
        discount_rate: yearly, for present values to owners.
    """

    minimum_cash: int = 0
    receivable_days: int = 0
    payable_days: int = 0
    tax_rate: Fraction = Fraction(0)
    loss_use_share: Fraction = Fraction(1)
    distribution_share: Fraction = Fraction(0)
    distributions_from: int = 0
    discount_rate: Fraction = Fraction(1, 10)


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """All that the finance model reads.

    Attributes:
        name: of the cloud.
        currency: ISO 4217; all money is in it.
        months: the calendar.
        contracts: signed ones and pipeline.
        merchant: the rest of revenue.
        installed: accelerators by kind.
        power: the power ladder by site and rung.
        costs: operating cost; depreciation, interest and tax are the model's.
        assets: what is owned and built.
        facilities: debt, senior first.
        equity: what owners pay in.
        opening: the balance before the first month.
        policies: how money is handled.
    """

    name: str
    currency: str
    months: Months
    contracts: tuple[Contract, ...] = ()
    merchant: tuple[Merchant, ...] = ()
    installed: tuple[Installed, ...] = ()
    power: tuple[Power, ...] = ()
    costs: tuple[Cost, ...] = ()
    assets: tuple[Asset, ...] = ()
    facilities: tuple[Facility, ...] = ()
    equity: tuple[Flow, ...] = ()
    opening: Opening = Opening()
    policies: Policies = Policies()
