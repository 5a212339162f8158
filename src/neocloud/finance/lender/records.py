"""A lender's pack: certificate, borrowing base and tape of one facility at the end of a month.

Money is exact, in units of the cloud's currency with up to twelve decimals; ratios and shares are
rounded to six decimals for showing, and what is decided on them is decided before that.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal

import msgspec

from neocloud.finance.measures import Definition

SCHEMA = "neocloud.lender/1"

Result = Literal["pass", "fail", "lock-up", "not tested"]
Status = Literal["in service", "in construction", "gone"]


class Decay(msgspec.Struct, frozen=True, kw_only=True):
    """How the value of a kind of asset falls with its age.

    `floor + (1 - floor) * (1 - monthly) ** months`, of what was paid.

    Attributes:
        kind: of assets.
        monthly: share of what lies above the floor that is lost in a month.
        floor: share that is never lost.
    """

    kind: str
    monthly: Fraction
    floor: Fraction


class Advance(msgspec.Struct, frozen=True, kw_only=True):
    """Share of its value that is lent on collateral that serves customers of a class of credit."""

    credit: str
    rate: Fraction


def _advances(rate: Fraction, *classes: str) -> tuple[Advance, ...]:
    return tuple(Advance(credit=credit, rate=rate) for credit in classes)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the pack assumes where a facility does not say it.

    The defaults are assumptions. Advance rates lie where lenders' statements do: 50 to 65 % of
    value with banks and funds, up to 80 % with specialised lenders. Values fall as the rent of an
    H100 for a year did from 2.85 to 1.70 USD in some 20 months, 2.6 % a month, down to 32 % of the
    first price, where one financier sees the floor of an A100. What has no decay is worth its book
    value.

    Attributes:
        decay: by kind of asset, at most one each.
        advances: by class of credit; a class that is not there lends nothing.
        oldest_months: age from which an asset is no longer eligible.
        definition: how prepayments count in covenants.
    """

    decay: tuple[Decay, ...] = tuple(
        Decay(kind=kind, monthly=Fraction(26, 1000), floor=Fraction(32, 100))
        for kind in ("accelerators", "networking", "storage")
    )
    advances: tuple[Advance, ...] = (
        *_advances(Fraction(80, 100), "AAA", "AA", "A", "BBB"),
        *_advances(Fraction(65, 100), "BB"),
        *_advances(Fraction(50, 100), "B", "CCC", "unrated"),
    )
    oldest_months: int = 60
    definition: Definition = "credited"


class CovenantLine(msgspec.Struct, frozen=True, kw_only=True):
    """One covenant in a month.

    Attributes:
        measure: what is tested.
        definition: how, in words.
        demand: `at least` or `at most`.
        level: what is demanded; of liquidity in units of the currency.
        value: what is; None where nothing is tested.
        headroom: how far it is on the right side, as a share of the level; negative beyond it.
        result: `lock-up` is a miss that stops distributions and is no breach.
        reason: why nothing is tested, in words.
        first_breach: first month of the model in which it is missed, `2026-10`; empty if never.
    """

    measure: str
    definition: str
    demand: str
    level: Decimal
    value: Decimal | None
    headroom: Decimal | None
    result: Result
    reason: str
    first_breach: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """Compliance certificate.

    Attributes:
        complies: no covenant is missed; a lock-up is none.
        lines: one a covenant, in a fixed order.
        note: what there is to say in words; empty if nothing.
    """

    complies: bool
    lines: tuple[CovenantLine, ...]
    note: str = ""


class BaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """Part of an asset in the borrowing base.

    Attributes:
        asset: asset key.
        kind: of the asset.
        status: whether it serves.
        age_months: months in service; 0 in construction.
        credit: class of credit of the customers that this part serves; empty of none.
        customers: these customers.
        value: appraised.
        eligible: what of it counts.
        advance_rate: share of that.
        available: what may be lent on it.
        reason: why less than all counts, in words.
    """

    asset: str
    kind: str
    status: Status
    age_months: int
    credit: str
    customers: tuple[str, ...]
    value: Decimal
    eligible: Decimal
    advance_rate: Decimal
    available: Decimal
    reason: str = ""


class BorrowingBase(msgspec.Struct, frozen=True, kw_only=True):
    """Borrowing base.

    Attributes:
        lines: by asset in the order of the file, then by credit, the best first.
        value: all collateral, appraised.
        eligible: what of it counts.
        base: what may be lent on it.
        drawn: owed by this facility.
        drawn_by_others: owed by facilities that any of the same assets secure.
        availability: base less both; negative where too much is lent. Without collateral no base
            limits it: what is undrawn.
        undrawn: what of the commitment may still be drawn by its terms, whatever the base.
        can_be_drawn: the smaller of the two, not below 0.
        loan_to_value: what is owed on these assets over their appraised value; None without value.
        note: what there is to say in words; empty if nothing.
    """

    lines: tuple[BaseLine, ...]
    value: Decimal
    eligible: Decimal
    base: Decimal
    drawn: Decimal
    drawn_by_others: Decimal
    availability: Decimal
    undrawn: Decimal
    can_be_drawn: Decimal
    loan_to_value: Decimal | None
    note: str = ""


class TapeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One asset of the collateral.

    Attributes:
        asset: asset key.
        kind: as in the file.
        site: site key; empty of no one site.
        accelerator: accelerator key; empty of none.
        accelerators: how many.
        megawatts: that it serves.
        in_service: month of service, `2026-10`.
        status: whether it serves.
        age_months: months in service; 0 in construction.
        cost: paid so far, without interest.
        book: less depreciation.
        appraised: see `appraisal`.
        appraisal: how it was valued, in words.
        contracts: that it serves.
        customers: theirs.
        credits: their classes of credit, in the same order.
        contracted: share of it that contracts hold.
    """

    asset: str
    kind: str
    site: str
    accelerator: str
    accelerators: int
    megawatts: Decimal
    in_service: str
    status: Status
    age_months: int
    cost: Decimal
    book: Decimal
    appraised: Decimal
    appraisal: str
    contracts: tuple[str, ...]
    customers: tuple[str, ...]
    credits: tuple[str, ...]
    contracted: Decimal


class LenderPack(msgspec.Struct, frozen=True, kw_only=True):
    """What a lender gets about a facility for a month.

    Attributes:
        schema: name and version of this form.
        cloud: its name.
        facility: facility key.
        month: `2026-10`: all is as of its end.
        currency: of all money.
        certificate: covenants.
        base: borrowing base.
        tape: collateral, asset by asset.
    """

    schema: str = SCHEMA
    cloud: str
    facility: str
    month: str
    currency: str
    certificate: Certificate
    base: BorrowingBase
    tape: tuple[TapeLine, ...]


class LenderPacks(msgspec.Struct, frozen=True, kw_only=True):
    """Packs of all facilities and months.

    Attributes:
        schema: name and version of this form.
        packs: by facility in the order of the file, then by month.
    """

    schema: str = SCHEMA
    packs: tuple[LenderPack, ...]

    def pack(self, facility: str, month: str) -> LenderPack:
        """The pack of a facility and month.

        Raises:
            KeyError: there is none.
        """
        for pack in self.packs:
            if (pack.facility, pack.month) == (facility, month):
                return pack
        raise KeyError((facility, month))
