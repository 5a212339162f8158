"""Rows of Contract Commitment: signed contracts, and minimum spends by month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec

from neocloud.books.contracts import Terms, committed_in, pieces_of
from neocloud.books.focus.bill import Bill
from neocloud.books.focus.contract_use import commitment_id, minimum_id, unit_of
from neocloud.books.focus.figures import converted, hours, json_text, short
from neocloud.books.focus.records import ContractCommitment
from neocloud.books.invoices.money import exact
from neocloud.units import Period, format_utc, parse_period

_INTERVALS: Mapping[int, str] = {1: "Monthly", 3: "Quarterly", 6: "Semi-Annual", 12: "Annual"}
_TYPES: Mapping[str, str] = {
    "reserved": "Reserved accelerators",
    "dedicated": "Dedicated replicas",
    "provisioned": "Provisioned throughput",
    "last_resort": "Tranche of last resort",
}


class _Rule(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A condition on a column."""

    dimension: str
    operator: str = "In"
    values: tuple[str, ...]


class _Applicability(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """To which charges a commitment applies."""

    inclusion_operator: str = "And"
    inclusions: tuple[_Rule, ...]


def contract_row(terms: Terms, bill: Bill, as_of_ns: int) -> ContractCommitment:
    """A contract over its whole term.

    Args:
        terms: of the contract.
        bill: of its tenant: currency and seller.
        as_of_ns: moment of which its lifecycle status is told.
    """
    start_ns, end_ns = terms.prices.start_ns, terms.prices.end_ns
    is_tranche = terms.prices.kind == "last_resort"
    committed = committed_in(terms, start_ns, end_ns)
    pico = sum(
        terms.amount(committed_in(terms, a, b), price)
        for a, b, _, price in pieces_of(terms, start_ns, end_ns)
    )
    value = short(exact(pico))
    model, share = _payment(terms, pico)
    quantity = Decimal(committed) if terms.counts_tokens else hours(committed)
    cost = None if is_tranche else converted(value, terms.prices.currency, bill.exchange)
    start, end = format_utc(start_ns), format_utc(end_ns)
    return ContractCommitment(
        billing_currency=bill.exchange.currency,
        contract_commitment_applicability=_applicability(terms, bill.tenant),
        contract_commitment_benefit_category="Other" if is_tranche else "Availability",
        contract_commitment_category="Usage",
        contract_commitment_cost=cost,
        contract_commitment_created=start,
        contract_commitment_description=_description(terms),
        contract_commitment_duration_type=_duration(start, end),
        contract_commitment_fulfillment_interval=_interval(terms, start, end),
        contract_commitment_id=commitment_id(terms.name),
        contract_commitment_last_updated=start,
        contract_commitment_lifecycle_status=_status(start_ns, end_ns, as_of_ns),
        contract_commitment_model="Discontinuous" if is_tranche else "Continuous",
        contract_commitment_payment_model=model,
        contract_commitment_payment_upfront_percentage=share,
        contract_commitment_period_end=end,
        contract_commitment_period_start=start,
        contract_commitment_quantity=quantity,
        contract_commitment_type=_TYPES[terms.prices.kind],
        contract_commitment_unit=unit_of(terms),
        contract_id=terms.name,
        contract_period_end=end,
        contract_period_start=start,
        invoice_issuer_name=bill.seller,
        pricing_currency=terms.prices.currency,
        pricing_currency_contract_commitment_cost=None if is_tranche else value,
        service_provider_name=bill.seller,
    )


def minimum_row(bill: Bill, month: str, as_of_ns: int) -> ContractCommitment:
    """The minimum spend of a month."""
    period = parse_period(month)
    start, end = format_utc(period.start_ns), format_utc(period.end_ns)
    rule = _Rule(dimension="BillingAccountId", values=(bill.tenant,))
    cost = short(bill.minimum)
    return ContractCommitment(
        billing_currency=bill.exchange.currency,
        contract_commitment_applicability=json_text(_Applicability(inclusions=(rule,))),
        contract_commitment_benefit_category="Other",
        contract_commitment_category="Spend",
        contract_commitment_cost=cost,
        contract_commitment_created=start,
        contract_commitment_description="Least that is charged for a month, before credits and tax",
        contract_commitment_duration_type="1 Month",
        contract_commitment_fulfillment_interval="Monthly",
        contract_commitment_id=minimum_id(bill.tenant, month),
        contract_commitment_last_updated=start,
        contract_commitment_lifecycle_status=_status(period.start_ns, period.end_ns, as_of_ns),
        contract_commitment_model="Continuous",
        contract_commitment_payment_model="No Upfront",
        contract_commitment_payment_upfront_percentage=Decimal(0),
        contract_commitment_period_end=end,
        contract_commitment_period_start=start,
        contract_commitment_quantity=None,
        contract_commitment_type="Minimum spend",
        contract_commitment_unit="",
        contract_id=minimum_id(bill.tenant),
        contract_period_end=end,
        contract_period_start=start,
        invoice_issuer_name=bill.seller,
        pricing_currency=bill.exchange.currency,
        pricing_currency_contract_commitment_cost=cost,
        service_provider_name=bill.seller,
    )


def touches(terms: Terms, period: Period) -> bool:
    """True if a contract's term overlaps the period."""
    return terms.prices.start_ns < period.end_ns and terms.prices.end_ns > period.start_ns


def _payment(terms: Terms, value_pico: int) -> tuple[str, Decimal]:
    """How much of it is paid ahead, to twelve decimals."""
    ahead = sum(paid.pico for paid in terms.prepayments)
    if not ahead or value_pico <= 0:
        return "No Upfront", Decimal(0)
    if ahead >= value_pico:
        return "All Upfront", Decimal(1)
    return "Partial Upfront", short(exact(round(Fraction(ahead * 10**12, value_pico))))


def _applicability(terms: Terms, tenant: str) -> str:
    prices = terms.prices
    rules = [_Rule(dimension="BillingAccountId", values=(tenant,))]
    rules.append(_Rule(dimension="CapacityReservationId", values=(terms.name,)))
    if prices.sites:
        rules.append(_Rule(dimension="AvailabilityZone", values=prices.sites))
    return json_text(_Applicability(inclusions=tuple(rules)))


def _description(terms: Terms) -> str:
    share = f"{(terms.take_or_pay * 100).normalize():f} % paid whether used or not"
    what = (
        f"{terms.tokens_per_s.normalize():f} tokens/s of {terms.prices.model}"
        if terms.counts_tokens
        else f"{terms.accelerators} accelerators"
    )
    if terms.prices.kind == "last_resort":
        return f"At most {what}, if nobody else buys them; {share}"
    more = f", to be used for {terms.carry_over_months} months" if terms.carry_over_months else ""
    return f"{what}, {share}{more}"


def _interval(terms: Terms, start: str, end: str) -> str:
    if terms.true_up_months >= _months(start, end):
        return _INTERVALS[1] if terms.true_up_months == 1 else "Full Period"
    return _INTERVALS.get(terms.true_up_months, "Custom")


def _months(start: str, end: str) -> int:
    return (int(end[:4]) - int(start[:4])) * 12 + int(end[5:7]) - int(start[5:7])


def _duration(start: str, end: str) -> str:
    """As `12 Months`; in days where a term ends on another day of the month."""
    if start[8:] == end[8:]:
        count, unit = _months(start, end), "Month"
    else:
        count, unit = (date.fromisoformat(end[:10]) - date.fromisoformat(start[:10])).days, "Day"
    return f"{count} {unit}" + ("" if count == 1 else "s")


def _status(start_ns: int, end_ns: int, as_of_ns: int) -> str:
    if as_of_ns < start_ns:
        return "Pending"
    return "Active" if as_of_ns < end_ns else "Expired"
