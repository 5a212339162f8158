"""What `neocloud report` says of finance, as records that are published as JSON.

Money is exact, in units of the cloud's currency with up to twelve decimals; ratios and shares are
rounded to six decimals, and what is decided on them is decided before that. `by month` is a tuple
with one element for each of `months`.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from neocloud.finance.measures import Definition

Ratios = tuple[Decimal | None, ...]
"""Ratios by month; None where there is nothing to divide by."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a statement.

    Attributes:
        key: unique in its statement.
        name: in words.
        whole: True of a sum.
        level: True of what stands at the end of a month, which months do not add up to.
        amounts: by month.
    """

    key: str
    name: str
    whole: bool = False
    level: bool = False
    amounts: tuple[Decimal, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement by month.

    Attributes:
        key: `income`, `cash`, `balance`, or `facility.NAME`.
        name: in words.
        lines: from above.
    """

    key: str
    name: str
    lines: tuple[Line, ...]

    def line(self, key: str) -> Line:
        """The line of a key.

        Raises:
            KeyError: there is none.
        """
        for line in self.lines:
            if line.key == key:
                return line
        raise KeyError(key)


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """Money under a name."""

    name: str
    amount: Decimal


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The figures that are asked for first.

    Attributes:
        revenue_year: of the first twelve months.
        ebitda_year: of the same.
        revenue: of all months.
        ebitda: of all months.
        backlog: what customers have signed and must still pay, used or not (RPO), at the start of
            `backlog_month`.
        backlog_month: the first month; where nothing is signed before it, the one before whose
            start most is.
        peak_debt: most debt and leases at the end of a month.
        peak_debt_month: that month; empty without debt.
        min_dscr: least cover of trailing twelve months of all facilities, prepayments as credited;
            None without debt service.
        min_dscr_facility: whose it is.
        min_dscr_month: when.
        first_breach: month; empty if no covenant is broken.
        breached: facility and measure of that; empty.
        runway_months: until cash ends below the minimum or a bill is unpaid; None if that never is.
        short_from: first month in which bills could not be paid; empty if there is none.
        equity_irr: yearly; None where flows never change sign.
        equity_multiple: MOIC; None where nothing went out.
        equity_payback_years: None if never.
        equity_npv: at `discount_rate`.
        project_irr: yearly, before financing.
        discount_rate: yearly.
    """

    revenue_year: Decimal
    ebitda_year: Decimal
    revenue: Decimal
    ebitda: Decimal
    backlog: Decimal
    backlog_month: str
    peak_debt: Decimal
    peak_debt_month: str
    min_dscr: Decimal | None
    min_dscr_facility: str
    min_dscr_month: str
    first_breach: str
    breached: str
    runway_months: int | None
    short_from: str
    equity_irr: Decimal | None
    equity_multiple: Decimal | None
    equity_payback_years: Decimal | None
    equity_npv: Decimal
    project_irr: Decimal | None
    discount_rate: Decimal


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """Cover of one facility under one definition of CFADS.

    Attributes:
        definition: how prepayments count.
        words: the same in words.
        by_period: DSCR of each payment period, in the month that ends it.
        trailing: DSCR of the last twelve months, in the same months.
        llcr: by month.
        plcr: by month.
        least: of `trailing`.
        least_month: when; empty if never.
    """

    definition: Definition
    words: str
    by_period: Ratios
    trailing: Ratios
    llcr: Ratios
    plcr: Ratios
    least: Decimal | None
    least_month: str


class FacilityReport(msgspec.Struct, frozen=True, kw_only=True):
    """A facility.

    Attributes:
        key: facility key.
        kind: as in the file.
        commitment: the most that may be drawn.
        maturity: day, `2031-07-01`.
        account: by month.
        cover: one a definition; that of covenants first, the others where they differ from it.
        loan_to_value: by month.
    """

    key: str
    kind: str
    commitment: Decimal
    maturity: str
    account: Statement
    cover: tuple[Cover, ...]
    loan_to_value: Ratios


class CovenantReport(msgspec.Struct, frozen=True, kw_only=True):
    """A covenant.

    Attributes:
        facility: facility key.
        measure: what is tested; `lock_up` stops distributions and is no breach.
        demand: `at least` or `at most`.
        level: what is demanded; of liquidity in units of the currency.
        values: by month, where it is tested; leverage is None where EBITDA is not above 0.
        headroom: by month, as a share of the level; negative on the wrong side.
        tightest: least headroom.
        tightest_month: when; empty if it is never tested.
        value: then.
        first_breach: month; empty if it holds throughout.
    """

    facility: str
    measure: str
    demand: str
    level: Decimal
    values: Ratios
    headroom: Ratios
    tightest: Decimal | None
    tightest_month: str
    value: Decimal | None
    first_breach: str


class SourcesAndUses(msgspec.Struct, frozen=True, kw_only=True):
    """Where money comes from and goes until all that is being built is in service.

    Attributes:
        until: last month that counts.
        sources: not 0 each; their sum is that of `uses`.
        uses: the last is what is left in cash and reserves.
        total: of each side.
    """

    until: str
    sources: tuple[Amount, ...]
    uses: tuple[Amount, ...]
    total: Decimal


class BacklogReport(msgspec.Struct, frozen=True, kw_only=True):
    """Bookings and backlog by month; see `Backlog`."""

    booked: tuple[Decimal, ...]
    firm: tuple[Decimal, ...]
    expected: tuple[Decimal, ...]
    annualised: tuple[Decimal, ...]
    pipeline: tuple[Decimal, ...]


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What signed contracts hold beside what can be delivered.

    Attributes:
        name: an accelerator key, `any accelerator` or `MW`.
        owed: by month.
        deliverable: by month; empty where nobody tells.
        most_short: most that is missing in a month.
        short_month: the first month of that; empty if nothing ever is.
    """

    name: str
    owed: tuple[Decimal, ...]
    deliverable: tuple[Decimal, ...]
    most_short: Decimal
    short_month: str


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """A rung of the power ladder, all sites together: megawatts by month."""

    name: str
    megawatts: tuple[Decimal, ...]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must be zero: in words, and its largest difference in any month."""

    name: str
    difference: Decimal


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of the company by month; see `finance.measures`."""

    interest_cover: Ratios
    leverage: Ratios
    contracted_cover: Ratios


class FinanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """The finance part.

    Attributes:
        months: `2026-01` and so on.
        from_plan: where tokens and energy come from, in words.
        headline: see there.
        income: income statement.
        cash: cash flow statement.
        balance: balance sheet.
        revenue: by contract and merchant line.
        sources_and_uses: see there.
        facilities: in the order of the file.
        covenants: of all facilities.
        company: measures of the company.
        backlog: see there.
        capacity: obligations beside what can be delivered.
        power: the power ladder.
        checks: what must be zero.
        notes: what the reader should know.
    """

    months: tuple[str, ...]
    from_plan: str
    headline: Headline
    income: Statement
    cash: Statement
    balance: Statement
    revenue: Statement
    sources_and_uses: SourcesAndUses
    facilities: tuple[FacilityReport, ...]
    covenants: tuple[CovenantReport, ...]
    company: Measures
    backlog: BacklogReport
    capacity: tuple[Capacity, ...]
    power: tuple[Rung, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All statements: the three, revenue by source, the account of each facility."""
        accounts = tuple(facility.account for facility in self.facilities)
        return (self.income, self.cash, self.balance, self.revenue, *accounts)
