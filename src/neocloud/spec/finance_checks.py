"""What assets, debt and running costs must fulfil, each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from neocloud.spec.assets import Asset
from neocloud.spec.debt import BaseRate, Conversion, Facility
from neocloud.spec.finance import Finance
from neocloud.spec.horizon import month_between
from neocloud.spec.named import named_once
from neocloud.spec.nodes import Node
from neocloud.spec.operations import COST_BASES, Merchant, Opening, OperatingCost
from neocloud.spec.places import at, given, item
from neocloud.spec.reader import Reader
from neocloud.spec.structures import Check

Values = dict[str, Any]

_SHARES_OFF: Final = 1e-6
_PERIODS: Final = (1, 3, 6, 12)
_PAYMENT_MONTHS: Final = {"lease": 1, "bond": 6, "convertible": 6}
_BULLETS: Final = ("bond", "convertible", "revolver")
_ONLY: Final = {
    "conversion": ("convertible",),
    "lease_payment_per_month": ("lease",),
    "draws": ("term_loan", "delayed_draw", "bond", "convertible", "revolver"),
}
"""Fields of a facility, and the kinds that have them."""


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
    _brought(values, node, reader)


def _brought(values: Values, node: Node, reader: Reader) -> None:
    """What an asset brings agrees with its kind."""
    kind = values.get("kind")
    if kind is None:
        return
    if given(node, "accelerator") != given(node, "accelerators"):
        there, other = ("accelerator", "accelerators")
        if given(node, other):
            there, other = other, there
        message = f"the asset has {there} and no {other}"
        reader.problem(at(node, there), "E106", message, f"Add {other}.")
    for name, wanted in (
        ("accelerator", "accelerators"), ("pools", "accelerators"), ("fuel_per_mwh", "generation"),
    ):  # fmt: skip
        if given(node, name) and kind != wanted:
            message = f"{name} is of kind {wanted}, and the asset of kind {kind}"
            reader.problem(at(node, name), "E112", message, "Change kind, or leave it out.")
    if given(node, "pools") and given(node, "accelerator"):
        message = "the accelerators stand in its pools and would be counted twice"
        reader.problem(at(node, "accelerator"), "E112", message, "Leave out one of the two.")
    for name in ("megawatts", "site"):
        if kind == "generation" and given(node, "fuel_per_mwh") and not given(node, name):
            message = f"a plant that burns fuel has no {name}"
            reader.problem(at(node, "fuel_per_mwh"), "E106", message, f"Add {name}.")


def _facility(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    kind = values.get("kind", "term_loan")
    _usual_terms(values, node, kind, reader)
    start, until, maturity = (values.get(name) for name in ("start", "available_until", "maturity"))
    if start and until and until < start:
        message = f"it may be drawn until {until}, before its start on {start}"
        reader.problem(at(node, "available_until"), "E112", message, "Change one of the two days.")
    last = max((day for day in (start, until) if day), default=None)
    if last and maturity and maturity <= last:
        message = f"the maturity {maturity} is not after {last}"
        reader.problem(at(node, "maturity"), "E112", message, "Give a later day.")
    elif start and maturity:
        _within(values, node, start, maturity, reader)
    if given(node, "advance_rate") and not given(node, "collateral"):
        message = "advance_rate is a share of collateral that is not named"
        reader.problem(at(node, "advance_rate"), "E106", message, "Add collateral: assets.")
    if given(node, "margin_by_credit") and not given(node, "contracts"):
        message = "margin_by_credit follows customers that are not named"
        reader.problem(at(node, "margin_by_credit"), "E106", message, "Add contracts.")
    for name, kinds in _ONLY.items():
        if given(node, name) and kind not in kinds:
            message = f"a facility of kind {kind} has no {name}"
            reader.problem(at(node, name), "E112", message, "Change kind, or leave it out.")
    if given(node, "target_dscr") and values.get("amortisation") not in (None, "sculpted"):
        message = f"target_dscr is of sculpted ones, and it is {values['amortisation']}"
        reader.problem(at(node, "target_dscr"), "E112", message, "Write amortisation: sculpted.")
    needs = kind == "delayed_draw" and not given(node, "outstanding")
    if needs and not given(node, "draws") and not given(node, "collateral"):
        message = "the facility has no draws, and no collateral that it is drawn for"
        reader.problem(node, "E106", message, "Add draws, or collateral: assets.")
    if start:
        _draws(values, node, start, until or start, reader)


def _usual_terms(values: Values, node: Node, kind: str, reader: Reader) -> None:
    """Terms that follow from others where the file leaves them out."""
    if not given(node, "currency"):
        values["currency"] = reader.currency
    if not given(node, "interest"):
        values["interest"] = "floating" if values.get("base_rate") else "fixed"
    if not given(node, "day_count"):
        floats = values.get("interest") == "floating"
        values["day_count"] = "actual/360" if floats else "30/360"
    if not given(node, "payment_months"):
        values["payment_months"] = _PAYMENT_MONTHS.get(kind, 3)
    if not given(node, "amortisation") and kind in _BULLETS:
        values["amortisation"] = "bullet"
    if values.get("payment_months", 1) not in _PERIODS:
        message = f"payments each {values['payment_months']} months end within no year"
        reader.problem(at(node, "payment_months"), "E104", message, "Write 1, 3, 6 or 12.")
    pays = given(node, "lease_payment_per_month")
    if given(node, "commitment") and pays:
        message = "a lease has its commitment or its payments"
        reader.problem(node, "E110", message, "Give one of commitment, lease_payment_per_month.")
    elif pays and kind == "lease":
        _lease(values, node, reader)
    elif not pays and not given(node, "commitment"):
        remedy = "Add commitment: the most that may be drawn; of a lease the payments will do."
        reader.problem(node, "E106", "the facility has no commitment", remedy)


def _lease(values: Values, node: Node, reader: Reader) -> None:
    """The liability of a lease: the present value of its payments at each month's end."""
    if values.get("payment_months", 1) != 1:
        message = "a lease that is paid by the month has other payment_months"
        reader.problem(at(node, "payment_months"), "E112", message, "Leave it out.")
    terms = [values.get(n) for n in ("start", "maturity", "margin", "lease_payment_per_month")]
    if None in terms:
        return
    start, maturity, margin, paid = terms
    count = month_between(start, maturity)  # type: ignore[arg-type]
    rate = Decimal(str(margin)) / 12
    worth = (1 - (1 + rate) ** -count) / rate if rate else Decimal(max(count, 0))
    values["commitment"] = round(paid * worth, 2)  # type: ignore[operator]


def _within(values: Values, node: Node, start: date, maturity: date, reader: Reader) -> None:
    grace, months = values.get("grace_months"), month_between(start, maturity)
    if grace is not None and grace >= months:
        message = f"nothing is paid back for {grace} months of {months}"
        reader.problem(at(node, "grace_months"), "E112", message, "Give fewer.")
    conversion: Conversion | None = values.get("conversion")
    if conversion is not None and not start < conversion.day <= maturity:
        message = f"it becomes shares on {conversion.day}, outside of {start} to {maturity}"
        reader.problem(at(node, "conversion"), "E112", message, "Give a day within its life.")


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
    owed = values.get("outstanding")
    if commitment is not None and owed is not None and owed > commitment:
        message = f"{owed:,} are owed, above the commitment of {commitment:,}"
        reader.problem(at(node, "outstanding"), "E112", message, "Change one of the two.")


def _base_rate(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    for number, (before, after) in enumerate(pairwise(values.get("rates", ())), 1):
        if after.start <= before.start:
            message = f"the rate of {after.start} does not follow that of {before.start}"
            place = item(at(node, "rates"), number)
            reader.problem(place, "E112", message, "Order rates by their date.")


def _merchant(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if not given(node, "currency"):
        values["currency"] = reader.currency


def _cost(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if not given(node, "currency"):
        values["currency"] = reader.currency
    there = [name for name in COST_BASES if given(node, name)]
    if len(there) != 1:
        message = "the cost has no sum" if not there else f"{len(there)} sums for one cost"
        names = f"{', '.join(COST_BASES[:-1])} or {COST_BASES[-1]}"
        reader.problem(node, "E110", message, f"Give one of {names}.")
    if not given(node, "variable_share"):
        values["variable_share"] = 1.0 if there == ["share_of_revenue"] else 0.0
    start, end = values.get("start"), values.get("end")
    if start and end and end <= start:
        message = f"the cost ends on {end}, not after its start on {start}"
        reader.problem(at(node, "end"), "E112", message, "Change one of the two days.")


def _opening(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    cost, net = values.get("property_cost", Decimal(0)), values.get("property_net")
    if net is not None and net > cost:
        message = f"property_net {net:,} is above property_cost {cost:,}"
        reader.problem(at(node, "property_net"), "E112", message, "Change one of the two.")


def _finance(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    for name, what in (
        ("assets", "assets"), ("debt", "facilities"), ("costs", "costs"),
        ("merchant", "merchant businesses"), ("base_rates", "base rates"),
    ):  # fmt: skip
        named_once(values.get(name, ()), at(node, name), what, reader)
    _each_once(values.get("merchant", ()), at(node, "merchant"), reader)
    _needs(values.get("assets", ()), at(node, "assets"), reader)
    start: date | None = values.get("start")
    for number, facility in enumerate(values.get("debt", ())):
        place = at(item(at(node, "debt"), number), "outstanding")
        if facility.outstanding is None and not facility.reserve:
            continue
        if start is None:
            message = f"what {facility.key} owes on the first day needs that day"
            reader.problem(place, "E106", message, "Add start to finance.")
        elif facility.start > start:
            message = f"{facility.key} is owed on {start}, before its start on {facility.start}"
            reader.problem(place, "E112", message, "Leave it out, or change one of the two days.")
        elif facility.maturity <= start:
            message = f"{facility.key} is owed on {start}, but matured on {facility.maturity}"
            reader.problem(place, "E112", message, "Leave it out, or change one of the two days.")


def _each_once(businesses: Sequence[Merchant], node: Node, reader: Reader) -> None:
    kinds = [business.accelerator for business in businesses]
    for number, kind in enumerate(kinds):
        if kind in kinds[:number]:
            message = f"two merchant businesses sell {kind or 'all accelerators'}"
            reader.problem(item(node, number), "E112", message, "Keep one for each accelerator.")


def _needs(assets: Sequence[Asset], node: Node, reader: Reader) -> None:
    """No asset waits for itself."""
    needs = {asset.key: asset.needs for asset in assets}
    for number, asset in enumerate(assets):
        reached: set[str] = set()
        waiting = list(asset.needs)
        while waiting:
            key = waiting.pop()
            if key not in reached:
                reached.add(key)
                waiting += needs.get(key, ())
        if asset.key in reached:
            message = f"{asset.key} needs itself, by way of {', '.join(asset.needs)}"
            place = at(item(node, number), "needs")
            reader.problem(place, "E112", message, "Take one of them out.")
            return  # the others of the circle would only say it again


FINANCE_CHECKS: Final[dict[type[Any], Check]] = {
    Asset: _asset,
    Facility: _facility,
    BaseRate: _base_rate,
    Merchant: _merchant,
    OperatingCost: _cost,
    Opening: _opening,
    Finance: _finance,
}
"""One function a record whose fields depend on each other."""
