"""The account of one facility, month by month.

The order within a month: `accrue` (draws, interest, fee), `convert`, `fall_due` (what must be paid
at its end), then what the waterfall does: `repay`, `draw`, the reserve; `close` writes the month.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction

from neocloud.finance.arithmetic import Index, Rate, Value
from neocloud.finance.model.assets import served
from neocloud.finance.model.setting import Setting, mean_life, needs_of
from neocloud.finance.model.terms import Terms


@dataclass(slots=True)
class Month:
    """What happened to a facility in a month. Names as in `FacilityLines`."""

    opening: Value
    drawn: Value
    rolled_up: Value
    converted: Value
    scheduled: Value
    swept: Value
    closing: Value
    rate: Rate
    interest: Value
    capitalised: Value
    fee: Value
    interest_paid: Value
    capitalised_paid: Value
    fee_paid: Value
    reserve: Value
    reserve_target: Value
    accrued: Value
    building: Value
    in_use: Value
    worn: Value


@dataclass(slots=True)
class Account:
    """One facility's state. Money is what it is at this point of the month.

    Attributes:
        setting: the run.
        terms: the facility's calendar.
        shares: of `sculpted`: share of the debt that each payment repays; else empty.
        service: month from which what secures it is in service.
        repays: month from which principal is due.
        balance: outstanding.
        drawn: drawn so far, what was drawn before the model included.
        accrued: interest not yet paid.
        accrued_cost: the part of it that is cost of assets.
        accrued_fee: fees not yet paid.
        reserve: in the reserve account.
        cost: interest that became cost of assets; of a lease, the right of use.
        rows: the months so far.
    """

    setting: Setting
    terms: Terms
    shares: Sequence[Rate] = ()
    service: Index = field(init=False)
    repays: Index = field(init=False)
    balance: Value = field(init=False)
    drawn: Value = field(init=False)
    accrued: Value = field(init=False)
    accrued_cost: Value = field(init=False)
    accrued_fee: Value = field(init=False)
    reserve: Value = field(init=False)
    cost: Value = field(init=False)
    rows: list[Month] = field(init=False)
    _life: int = field(init=False)
    _before: Value = field(init=False)

    def __post_init__(self) -> None:
        a = self.setting.a
        facility = self.terms.facility
        needs = needs_of(facility, self.setting.inputs)
        self.service = self.setting.ready(needs)
        self.repays = self.terms.start
        if facility.first_repayment is not None:
            self.repays = facility.first_repayment
        elif facility.kind == "delayed_draw":
            self.repays = a.most(self.service, self.terms.available + 1)
        self.balance = self.drawn = a.money(facility.opening)
        self.reserve = a.money(facility.opening_reserve)
        self.accrued = self.accrued_cost = self.accrued_fee = a.zero
        self.cost = self.balance if self.terms.is_lease else a.zero
        self._life = mean_life(needs, self.setting.inputs)
        if self.terms.is_lease:
            self._life = self.terms.last - max(self.terms.start, 0) + 1
        self._before = a.zero
        self.rows = []

    @property
    def now(self) -> Month:
        """The month that is under way."""
        return self.rows[-1]

    def rate(self, month: int) -> Rate:
        """The yearly rate of a month: base rate, at least the floor, margin, step-up."""
        a = self.setting.a
        facility = self.terms.facility
        base = a.rate_at(facility.base_rate, month)
        move = self.setting.factor(self.setting.shocks.base_rate, month)
        if move is not None and facility.floating_share:
            base = base + move * a.rate(facility.floating_share)
        rate = a.most(base, a.rate(facility.floor)) + a.rate_at(facility.margin, month)
        if facility.step_up:
            rate = rate + a.where(month < self.service, a.rate(facility.step_up), a.rate(0))
        return rate

    def accrue(self, month: int, paid_for: Value) -> None:
        """Take the month's draws and let interest and fee run.

        Args:
            month: the month.
            paid_for: what was paid for the collateral until its end.
        """
        a = self.setting.a
        terms = self.terms
        opening = self.balance
        empty = dict.fromkeys((item.name for item in fields(Month)), a.zero)
        rate = self.rate(month)
        if month < terms.start and not terms.facility.opening:
            self.rows.append(Month(**empty | {"rate": rate}))
            return
        drawn = self._draw_of(month, paid_for)
        year, drawn_year = a.rate(terms.year[month]), a.rate(terms.drawn_year[month])
        interest = a.times(opening, rate * year) + a.times(drawn, rate * drawn_year)
        fee = self._fee(month, drawn, drawn_year)
        self.drawn = self.drawn + drawn
        self.balance = opening + drawn
        capitalised = rolled = a.zero
        if terms.facility.construction_interest != "expensed":
            capitalised = a.where(month < self.service, interest, a.zero)
            self.cost = self.cost + capitalised
        if terms.facility.construction_interest == "rolled_up":
            rolled = capitalised
            self.balance = self.balance + rolled
        elif terms.facility.construction_interest == "capitalised":
            self.accrued_cost = self.accrued_cost + capitalised
        if terms.is_lease:
            self.cost = self.cost + drawn
        self.accrued = self.accrued + interest - rolled
        self.accrued_fee = self.accrued_fee + fee
        now = {"opening": opening, "drawn": drawn, "rolled_up": rolled, "rate": rate}
        now |= {"interest": interest, "capitalised": capitalised, "fee": fee}
        self.rows.append(Month(**empty | now))
        self._wear(month)

    def _draw_of(self, month: int, paid_for: Value) -> Value:
        a = self.setting.a
        terms = self.terms
        facility = terms.facility
        if not terms.start <= month <= max(terms.available, terms.start) or terms.is_revolver:
            return a.zero
        room = a.positive(a.money(facility.commitment) - self.drawn)
        if facility.advance_rate is not None:
            allowed = a.times(paid_for, a.rate(facility.advance_rate))
            room = a.least(room, a.positive(allowed - self.drawn))
        elif terms.by_need:
            room = a.least(room, a.positive(paid_for - self.drawn))
        wanted = room if terms.by_need else a.least(a.money(terms.draws[month]), room)
        if terms.is_lease:
            return wanted
        return self.setting.scaled(wanted, self._lenders(month))

    def _lenders(self, month: int) -> Rate | None:
        """Share of a draw that lenders still pay out."""
        return self.setting.factor(self.setting.shocks.refinancing, month)

    def _fee(self, month: int, drawn: Value, drawn_year: Rate) -> Value:
        """Commitment fee of a month: what is drawn in it costs none from its day on."""
        a = self.setting.a
        facility = self.terms.facility
        year = self.terms.fee_year[month]
        if not facility.commitment_fee or not year:
            return a.zero
        taken = self.balance if self.terms.is_revolver else self.drawn
        fee = a.rate(facility.commitment_fee)
        undrawn = a.positive(a.money(facility.commitment) - taken)
        rest = a.least(drawn_year, a.rate(year))
        return a.times(undrawn, fee * a.rate(year)) - a.times(drawn, fee * rest)

    def _wear(self, month: int) -> None:
        """Depreciate capitalised interest, or the right of use, in a straight line."""
        a = self.setting.a
        start = a.most(self.service, 0)
        if self.terms.is_lease:
            start = max(self.terms.start, 0)
        worn = a.part(self.cost, served(self.setting, month, start, self._life), self._life)
        self.now.worn = worn - self._before
        self._before = worn
        building = a.where(month < start, self.cost, a.zero)
        self.now.building = building
        self.now.in_use = self.cost - worn - building

    def convert(self, month: int) -> None:
        """Turn debt into equity in the month of conversion."""
        conversion = self.terms.facility.conversion
        if conversion is not None and month == self.terms.converts:
            self.now.converted = self.setting.a.times(self.balance, conversion.share)
            self.balance = self.balance - self.now.converted

    def share_due(self, month: int) -> Rate:
        """Share of the debt that falls due at the end of a month in which it pays."""
        a = self.setting.a
        facility = self.terms.facility
        left = self.terms.left[month]
        if left == 1:
            return a.rate(1)
        if self.terms.is_revolver or facility.amortisation == "bullet":
            return a.rate(0)
        if facility.amortisation == "sculpted":
            share = a.rate(self.shares[month])
        elif facility.amortisation == "straight":
            share = a.rate(Fraction(1, left))
        else:
            share = a.annuity(self.now.rate * a.rate(Fraction(facility.period_months, 12)), left)
        return a.where(month >= self.repays, share, a.rate(0))

    def fall_due(self, month: int, share: Rate | None = None) -> None:
        """Make interest, fee and principal due where the month ends with a payment."""
        now = self.now
        if self.terms.due[month]:
            share = self.share_due(month) if share is None else share
            now.interest_paid, self.accrued = self.accrued, self.setting.a.zero
            now.capitalised_paid, self.accrued_cost = self.accrued_cost, self.setting.a.zero
            now.fee_paid, self.accrued_fee = self.accrued_fee, self.setting.a.zero
            now.scheduled = self.setting.a.times(self.balance, share)
            self.balance = self.balance - now.scheduled
        now.reserve_target = self._target(month)

    def _target(self, month: int) -> Value:
        """Debt service of the next `dsra_months`, as the next payment is; nothing of a bullet."""
        a = self.setting.a
        facility = self.terms.facility
        count = len(self.terms.due)
        following = next((m for m in range(month + 1, count) if self.terms.due[m]), None)
        if not facility.dsra_months or following is None:
            return self.reserve if facility.dsra_months and month < self.terms.last else a.zero
        period = Fraction(facility.period_months, 12)
        left = self.terms.left[following]
        share = self.share_due(following)
        if facility.amortisation == "bullet" or self.terms.is_revolver:
            share = a.rate(0)
        months = min(facility.dsra_months, left * facility.period_months)
        each = share + self.now.rate * a.rate(period)
        target = a.times(self.balance, each * a.rate(Fraction(months, facility.period_months)))
        return a.where(month >= self.service, target, a.zero)

    @property
    def service_due(self) -> Value:
        """What must be paid at the end of this month."""
        return self.now.interest_paid + self.now.fee_paid + self.now.scheduled

    def room(self, month: int) -> Value:
        """What a revolver may still lend."""
        a = self.setting.a
        open_until = max(self.terms.available, self.terms.start)
        if not self.terms.start <= month <= open_until or month >= self.terms.last:
            return a.zero
        room = a.positive(a.money(self.terms.facility.commitment) - self.balance)
        return self.setting.scaled(room, self._lenders(month))

    def draw(self, amount: Value) -> None:
        """Take money at the end of the month."""
        self.now.drawn = self.now.drawn + amount
        self.balance = self.balance + amount

    def repay(self, amount: Value) -> None:
        """Pay back early."""
        self.now.swept = self.now.swept + amount
        self.balance = self.balance - amount

    def close(self) -> None:
        """Write down how the month ended."""
        self.now.closing = self.balance
        self.now.reserve = self.reserve
        self.now.accrued = self.accrued + self.accrued_fee
