"""Contracts month by month: shortfall, true-up, carry-over, prepayments, service levels.

A fold over the months since a contract began, of what was used under it in each. It keeps no state
elsewhere: the same use gives the same charges, and use that becomes known later changes what should
have been charged since, which the next invoice corrects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import msgspec

from neocloud.books.contracts.calendar import index_of, month_at
from neocloud.books.contracts.levels import given_back, share_of, shown
from neocloud.books.contracts.records import (
    Charge,
    ChargeKind,
    ContractMonth,
    ServiceCount,
    Terms,
)
from neocloud.books.contracts.spans import held_time
from neocloud.books.contracts.terms import committed_in, held_in, pieces_of
from neocloud.books.prices import TokenBill, midnight_ns
from neocloud.books.rating import RatedLine, Step
from neocloud.units import Period, parse_period


class MonthOfUse(msgspec.Struct, frozen=True, kw_only=True):
    """A month of one tenant, as contracts are settled by it.

    Attributes:
        month: UTC month.
        terms: of the tenant's contracts, as they stood.
        lines: its rated use.
        counts: of requests, by contract, where a service level needs them.
        bought: what the tenant must take of its tranches of last resort, by contract.
    """

    month: str
    terms: tuple[Terms, ...]
    lines: tuple[RatedLine, ...]
    counts: Mapping[str, ServiceCount] = {}
    bought: Mapping[str, tuple[Step, ...]] = {}


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What contracts charge for a month beside the use itself, and how they stand."""

    month: str
    charges: tuple[Charge, ...]
    contracts: tuple[ContractMonth, ...]


@dataclass(slots=True)
class _Part:
    """What was committed and used at one price."""

    since_ns: int
    unit_pico: int
    committed: int
    used: int


@dataclass(slots=True)
class _Account:
    """What a contract brings along from the months before."""

    window: list[_Part] = field(default_factory=list)
    carried: list[tuple[int, int]] = field(default_factory=list)
    """Until which month, by `index_of`, and how much; the oldest first."""
    released: int = 0


def settle(months: Sequence[MonthOfUse]) -> tuple[Settled, ...]:
    """Settle months that follow each other, from the first that matters on."""
    accounts: dict[str, _Account] = {}
    found = []
    for month in months:
        charges: list[Charge] = []
        stands: list[ContractMonth] = []
        for terms in month.terms:
            one = _Month(terms, month, accounts.setdefault(terms.name, _Account()))
            if one.matters():
                stands.append(one.settle())
                charges += one.charges
        found.append(Settled(month=month.month, charges=_summed(charges), contracts=tuple(stands)))
    return tuple(found)


class _Month:
    """One contract in one month."""

    def __init__(self, terms: Terms, month: MonthOfUse, account: _Account) -> None:
        self.charges: list[Charge] = []
        self._terms = terms
        self._month = month
        self._account = account
        self._span: Period = parse_period(month.month)
        self._parts = tuple(self._parts_of())

    def matters(self) -> bool:
        """True within the term, and where a prepayment is due before it."""
        return bool(self._parts) or any(True for _ in self._paid_now())

    def settle(self) -> ContractMonth:
        """Charge the month."""
        terms, span = self._terms, self._span
        carried_in = sum(quantity for _, quantity in self._account.carried)
        short = used_up = 0
        if terms.prices.kind == "last_resort":
            self._charge_tranche()
        else:
            self._account.window += self._parts
            if self._is_window_over():
                short, used_up = self._true_up()
        levels = self._give_back()
        self._prepaid()
        return ContractMonth(
            contract=terms.name,
            month=self._month.month,
            tokens=terms.counts_tokens,
            held=held_in(terms, span.start_ns, span.end_ns),
            committed=sum(part.committed for part in self._parts),
            used=sum(part.used for part in self._parts),
            shortfall=short,
            carried_in=carried_in,
            carried_used=used_up,
            carried_out=sum(quantity for _, quantity in self._account.carried),
            availability=shown(levels[0]),
            latency=shown(levels[1]),
        )

    def _parts_of(self) -> Iterator[_Part]:
        used: dict[int, int] = {}
        for line in self._my_lines():
            used[line.since_ns] = used.get(line.since_ns, 0) + line.quantity
        for start, end, since_ns, unit_pico in pieces_of(
            self._terms, self._span.start_ns, self._span.end_ns
        ):
            committed = committed_in(self._terms, start, end)
            if self._terms.prices.kind == "last_resort":
                steps = self._month.bought.get(self._terms.name, ())
                committed = int(held_time(steps, start, end) * Fraction(self._terms.take_or_pay))
            yield _Part(since_ns, unit_pico, committed, used.get(since_ns, 0))

    def _my_lines(self) -> Iterator[RatedLine]:
        for line in self._month.lines:
            mine = line.contract == self._terms.name and line.billed
            if mine and self._terms.is_counted(line.meter):
                yield line

    def _charge(self, kind: ChargeKind, part: _Part, quantity: int) -> None:
        if quantity:
            self.charges.append(
                Charge(
                    kind=kind,
                    contract=self._terms.name,
                    month=self._month.month,
                    since_ns=part.since_ns,
                    currency=self._terms.prices.currency,
                    unit_pico=part.unit_pico,
                    tokens=self._terms.counts_tokens,
                    quantity=quantity,
                    pico=self._terms.amount(quantity, part.unit_pico),
                )
            )

    def _charge_amount(self, kind: ChargeKind, pico: int) -> None:
        if pico:
            self.charges.append(
                Charge(
                    kind=kind,
                    contract=self._terms.name,
                    month=self._month.month,
                    currency=self._terms.prices.currency,
                    pico=pico,
                )
            )

    def _charge_tranche(self) -> None:
        for part in self._parts:
            self._charge(ChargeKind.LAST_RESORT, part, max(0, part.committed - part.used))

    def _is_window_over(self) -> bool:
        if self._terms.prices.end_ns <= self._span.end_ns:
            return True
        first = index_of(month_at(self._terms.prices.start_ns))
        return (index_of(self._month.month) - first + 1) % self._terms.true_up_months == 0

    def _true_up(self) -> tuple[int, int]:
        """Charge what was paid for and not used, or use up what was carried over."""
        window, self._account.window = self._account.window, []
        now = index_of(self._month.month)
        carried = [(until, left) for until, left in self._account.carried if until >= now]
        gap = sum(part.committed - part.used for part in window)
        short, over = max(0, gap), max(0, -gap)
        if short:
            for part, quantity in _shared(short, reversed(window), missing=True):
                self._charge(ChargeKind.SHORTFALL, part, quantity)
            if self._terms.carry_over_months:
                carried.append((now + self._terms.carry_over_months, short))
        taken = min(over, sum(left for _, left in carried))
        if taken:
            for part, quantity in _shared(taken, window, missing=False):
                self._charge(ChargeKind.CARRIED_OVER, part, -quantity)
        # What could be used for the last time in this month is gone after it.
        self._account.carried = [(u, left) for u, left in _less(carried, taken) if u > now]
        return short, taken

    def _give_back(self) -> tuple[Fraction | None, Fraction | None]:
        """Charge what missed service levels give back; what was measured."""
        terms = self._terms
        if not (terms.availability or terms.latency) or not self._parts:
            return None, None
        count = self._month.counts.get(terms.name, ServiceCount())
        if terms.prices.bill is TokenBill.NONE:
            used = sum(part.used for part in self._parts)
            whole = held_in(terms, self._span.start_ns, self._span.end_ns)
            count = ServiceCount(asked=whole, answered=min(used, whole))
        available = share_of(count.answered, count.asked) if terms.availability else None
        fast = share_of(count.in_time, count.timed) if terms.latency else None
        share = given_back(terms.availability, available) + given_back(terms.latency, fast)
        self._charge_amount(
            ChargeKind.SERVICE_CREDIT, -int(min(share, Fraction(1)) * max(0, self._sum()))
        )
        return available, fast

    def _sum(self) -> int:
        """What the contract charges for the month, use and all."""
        return sum(line.pico for line in self._my_lines()) + sum(c.pico for c in self.charges)

    def _paid_now(self) -> Iterator[int]:
        for paid in self._terms.prepayments:
            if midnight_ns(paid.day) in self._span:
                yield paid.pico

    def _prepaid(self) -> None:
        """Release prepayments evenly over the term, at most what the month charges."""
        due = Fraction(0)
        for paid in self._terms.prepayments:
            start = max(midnight_ns(paid.day), self._terms.prices.start_ns)
            end = self._terms.prices.end_ns
            passed = max(0, min(self._span.end_ns, end) - start)
            due += Fraction(paid.pico * passed, end - start)
        released = max(0, min(int(due) - self._account.released, self._sum()))
        self._account.released += released
        self._charge_amount(ChargeKind.RELEASE, -released)
        self._charge_amount(ChargeKind.PREPAYMENT, sum(self._paid_now()))


def _shared(
    quantity: int, parts: Sequence[_Part] | Iterator[_Part], *, missing: bool
) -> Iterator[tuple[_Part, int]]:
    """Lay a quantity out over the parts that miss use, or have more than was committed."""
    for part in parts:
        room = part.committed - part.used if missing else part.used - part.committed
        taken = min(quantity, max(0, room))
        if taken:
            quantity -= taken
            yield part, taken
    assert not quantity


def _less(carried: Sequence[tuple[int, int]], taken: int) -> Iterator[tuple[int, int]]:
    """What is left when a quantity is used up, the oldest first."""
    for until, left in carried:
        used = min(left, taken)
        taken -= used
        if left > used:
            yield until, left - used


def _summed(charges: Sequence[Charge]) -> tuple[Charge, ...]:
    """Charges of the same key as one."""
    sums: dict[tuple[object, ...], Charge] = {}
    for charge in charges:
        before = sums.get(charge.key)
        sums[charge.key] = charge if before is None else msgspec.structs.replace(
            charge, quantity=before.quantity + charge.quantity, pico=before.pico + charge.pico
        )  # fmt: skip
    return tuple(sorted(sums.values()))
