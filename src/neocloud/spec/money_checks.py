"""What contracts, assets and debt must fulfil."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from neocloud.spec.contracts import Contract, Prepayment, Rental
from neocloud.spec.finance import Asset, Facility, Finance
from neocloud.spec.nodes import Node
from neocloud.spec.places import at, given, item
from neocloud.spec.reader import Reader
from neocloud.spec.structures import Check
from neocloud.spec.terms import LevelStep, PrepaidCredit, ServiceLevel

Values = dict[str, Any]

_NEEDED: Final = {
    "reserved": ("accelerators",),
    "dedicated": ("accelerators", "model"),
    "provisioned": ("model", "tokens_per_s"),
    "last_resort": ("accelerators",),
}
_SHARES_OFF: Final = 1e-6


def months_after(day: date, months: int) -> date:
    """The same day of the month some months later, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError(day)


def _contract(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if not given(node, "currency"):
        values["currency"] = reader.currency
    kind = values.get("kind", "reserved")
    for name in _NEEDED[kind]:
        if not given(node, name):
            message = f"a contract of kind {kind} has no {name}"
            reader.problem(node, "E106", message, f"Add {name}.")
    _whole_prices(values, node, reader)
    start, months = values.get("start"), values.get("term_months")
    if start is None or months is None:
        return
    end = months_after(start, months)
    steps = values.get("price_steps", ())
    for number, step in enumerate(steps):
        place = item(at(node, "price_steps"), number)
        if not start < step.start < end:
            message = f"the price of {step.start} lies outside the term, {start} to {end}"
            reader.problem(place, "E112", message, "Give a day after the start and before the end.")
        elif number and step.start <= steps[number - 1].start:
            message = f"the price of {step.start} does not follow that of {steps[number - 1].start}"
            reader.problem(place, "E112", message, "Order prices by their date.")
    termination = values.get("termination")
    if termination is not None and termination.after_months > months:
        message = f"after_months {termination.after_months} is above the term of {months}"
        reader.problem(at(node, "termination"), "E112", message, "Give months within the term.")
    _prepaid(values, node, end, reader)


def _whole_prices(values: Values, node: Node, reader: Reader) -> None:
    """A token, or an accelerator-hour, must cost a whole number of 1e-12 of the currency."""
    most = 6 if values.get("kind") == "provisioned" else 12
    places = [(values.get("price"), at(node, "price"))]
    places += [
        (step.price, at(item(at(node, "price_steps"), number), "price"))
        for number, step in enumerate(values.get("price_steps", ()))
    ]
    for price, place in places:
        if price is not None and price != round(price, most):
            message = f"price {price} has more than {most} decimals"
            reader.problem(place, "E104", message, "Shorten it.")


def _service_level(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if given(node, "latency") and not (given(node, "ttft_ms") or given(node, "tpot_ms")):
        message = "latency says nothing without ttft_ms or tpot_ms"
        reader.problem(at(node, "latency"), "E106", message, "Add one of them, or both.")
    for name in ("availability", "latency"):
        steps: tuple[LevelStep, ...] = values.get(name, ())
        for number, step in enumerate(steps[1:], 1):
            before = steps[number - 1]
            if step.below >= before.below or step.credit_share < before.credit_share:
                message = f"a step below {step.below} that gives {step.credit_share} follows one "
                message += f"below {before.below} that gives {before.credit_share}"
                remedy = "Order steps from the highest share down; deeper ones give no less."
                reader.problem(item(at(node, name), number), "E112", message, remedy)


def _credit(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    day, expires = values.get("day"), values.get("expires")
    if day and expires and expires <= day:
        message = f"the credit expires on {expires}, and begins on {day}"
        reader.problem(at(node, "expires"), "E112", message, "Give a later day.")


def _prepaid(values: Values, node: Node, end: date, reader: Reader) -> None:
    prepayments: tuple[Prepayment, ...] = values.get("prepayments", ())
    place = at(node, "prepayments")
    for number, paid in enumerate(prepayments):
        if paid.day >= end:
            message = f"a prepayment of {paid.day} comes after the term, which ends on {end}"
            reader.problem(item(place, number), "E112", message, "Give an earlier day.")
    total = sum(paid.share for paid in prepayments if paid.share is not None)
    if total > 1:
        message = f"prepayments are {total} of the contract's value"
        reader.problem(place, "E112", message, "Their shares must not exceed 1.")


def _prepayment(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    del values
    there = [name for name in ("share", "amount") if given(node, name)]
    if len(there) != 1:
        message = "a prepayment needs either share or amount"
        reader.problem(node, "E110", message, "Give one of the two.")


def _asset(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if not given(node, "currency"):
        values["currency"] = reader.currency
    ordered, served = values.get("ordered"), values.get("in_service")
    if ordered and served and ordered > served:
        message = f"the asset is in service on {served}, before its order on {ordered}"
        reader.problem(at(node, "in_service"), "E112", message, "Change one of the two days.")
    payments = values.get("payments", ())
    total = sum(payment.share for payment in payments)
    if payments and abs(float(total) - 1) > _SHARES_OFF:
        message = f"the shares of the payments sum to {total}"
        reader.problem(at(node, "payments"), "E112", message, "They must sum to 1.")


def _rental(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if not given(node, "currency"):
        values["currency"] = reader.currency


def _facility(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if not given(node, "currency"):
        values["currency"] = reader.currency
    start, until, maturity = (values.get(name) for name in ("start", "available_until", "maturity"))
    if start and until and until < start:
        message = f"it may be drawn until {until}, before its start on {start}"
        reader.problem(at(node, "available_until"), "E112", message, "Change one of the two days.")
    last = max((day for day in (start, until) if day), default=None)
    if last and maturity and maturity <= last:
        message = f"the maturity {maturity} is not after {last}"
        reader.problem(at(node, "maturity"), "E112", message, "Give a later day.")
    if given(node, "advance_rate") and not given(node, "collateral"):
        message = "advance_rate is a share of collateral that is not named"
        reader.problem(at(node, "advance_rate"), "E106", message, "Add collateral: assets.")
    if start:
        _draws(values, node, start, until or start, reader)


def _draws(values: Values, node: Node, start: date, until: date, reader: Reader) -> None:
    draws, place = values.get("draws", ()), at(node, "draws")
    for number, draw in enumerate(draws):
        if not start <= draw.day <= until:
            message = f"it is drawn on {draw.day}, but available from {start} to {until}"
            remedy = "Change the day, or available_until."
            reader.problem(item(place, number), "E112", message, remedy)
    total, commitment = sum(draw.amount for draw in draws), values.get("commitment")
    if commitment is not None and total > commitment:
        message = f"draws of {total:,} are above the commitment of {commitment:,}"
        reader.problem(place, "E112", message, "Change one of the two.")


def _finance(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    named_once(values.get("assets", ()), at(node, "assets"), "assets", reader)
    named_once(values.get("debt", ()), at(node, "debt"), "facilities", reader)


def named_once(
    records: Sequence[Contract | Asset | Facility | PrepaidCredit],
    node: Node,
    what: str,
    reader: Reader,
) -> None:
    """Tell of every name that stands twice in a list."""
    keys = [record.key for record in records]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            message = f"there are two {what} {key!r}"
            reader.problem(item(node, number), "E214", message, "Give each its own name.")


def secured(cloud: Values, node: Node, reader: Reader) -> None:
    """Debt stays within what its collateral cost, at the advance rate where there is one."""
    finance: Finance | None = cloud.get("finance")
    if finance is None:
        return
    rates = {reader.currency: 1, **cloud.get("exchange_rates", {})}
    assets = {asset.key: asset for asset in finance.assets}
    for number, facility in enumerate(finance.debt):
        behind = [assets[key] for key in facility.collateral if key in assets]
        known = {facility.currency, *(asset.currency for asset in behind)} <= set(rates)
        if not behind or not known:
            continue
        value = sum(float(asset.price) * float(rates[asset.currency]) for asset in behind)
        lent = float(facility.commitment) * float(rates[facility.currency])
        most = value * (facility.advance_rate if facility.advance_rate is not None else 1.0)
        if lent > most * (1 + 1e-9):
            what = "its collateral's price" if facility.advance_rate is None else (
                f"advance_rate {facility.advance_rate:g} of its collateral's price"
            )  # fmt: skip
            message = f"a commitment of {lent:,.0f} {reader.currency} is above {what}, {most:,.0f}"
            place = item(at(at(node, "finance"), "debt"), number)
            remedy = "Lower the commitment, or name more collateral."
            reader.problem(at(place, "commitment"), "E112", message, remedy)


MONEY_CHECKS: Final[dict[type[Any], Check]] = {
    Contract: _contract,
    Prepayment: _prepayment,
    PrepaidCredit: _credit,
    ServiceLevel: _service_level,
    Asset: _asset,
    Facility: _facility,
    Finance: _finance,
    Rental: _rental,
}
"""One function a record whose fields depend on each other."""
