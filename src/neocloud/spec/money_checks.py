"""What contracts and prepaid credit must fulfil."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from neocloud.spec.contracts import Contract, Prepayment, Rental
from neocloud.spec.horizon import months_after
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
    signed = values.get("signed")
    if signed is not None and signed > start:
        message = f"it is signed on {signed}, after its start on {start}"
        reader.problem(at(node, "signed"), "E112", message, "Change one of the two days.")
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


def _rental(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if not given(node, "currency"):
        values["currency"] = reader.currency


MONEY_CHECKS: Final[dict[type[Any], Check]] = {
    Contract: _contract,
    Prepayment: _prepayment,
    PrepaidCredit: _credit,
    ServiceLevel: _service_level,
    Rental: _rental,
}
"""One function a record whose fields depend on each other."""
