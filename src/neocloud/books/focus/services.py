"""Which service and SKU a line is of, under which price of the list."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from neocloud.books.contracts import ChargeKind, Terms
from neocloud.books.focus.figures import json_text
from neocloud.books.focus.listed import Listed, PriceLists
from neocloud.books.invoices import Line

_METERS: Mapping[str, str] = {
    "input": "Input tokens",
    "cached_input": "Cached input tokens",
    "output": "Output tokens",
    "reasoning": "Reasoning tokens",
    "accelerator_hour": "Accelerator-hours",
}


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """ServiceName with the one category and subcategory that it belongs to."""

    name: str
    category: str
    subcategory: str


INFERENCE = Service(
    name="Token inference", category="AI and Machine Learning", subcategory="Generative AI"
)
ACCELERATORS = Service(name="Accelerators", category="Compute", subcategory="Other (Compute)")
BILLING = Service(name="Billing", category="Other", subcategory="Other (Other)")
"""What is about the account as a whole: minimum spend, credits, tax."""


class Sku(msgspec.Struct, frozen=True, kw_only=True):
    """What is sold and at which price of the list; all empty where a line is an amount alone."""

    key: str = ""
    meter: str = ""
    price_id: str = ""
    details: str = ""
    listed: Listed


def service_of(line: Line, terms: Terms | None) -> Service:
    """The service of a line."""
    if line.charge is ChargeKind.MINIMUM:
        return BILLING
    if line.meter:
        return INFERENCE if line.unit == "token" else ACCELERATORS
    if terms is None:
        return BILLING
    return INFERENCE if terms.counts_tokens else ACCELERATORS


def sku_of(line: Line, terms: Terms | None, versions: PriceLists, held: tuple[str, int]) -> Sku:
    """SKU and list price of a line.

    Args:
        line: a charge.
        terms: of its contract; None for none.
        versions: price lists.
        held: the version that held where the line names none, and the charge's first moment.
    """
    nothing = Listed(price=line.exact, currency=line.price_currency, path=())
    if line.charge is ChargeKind.PREPAYMENT:
        key = f"{line.contract}/prepayment"
        return Sku(key=key, meter="Prepayment", price_id=key, listed=nothing)
    if line.unit_price is None:
        return Sku(listed=nothing)
    version, start_ns = held
    named = line
    if not line.meter and not line.accelerator and terms is not None:
        named = msgspec.structs.replace(line, accelerator=terms.prices.accelerator)
    listed = versions.of(named, line.price_version or version, start_ns)
    key, meter, details = _named(named, terms, listed)
    return Sku(
        key=key,
        meter=meter,
        price_id="/".join((key, *filter(None, listed.path))),
        details=json_text(details),
        listed=listed,
    )


def _named(line: Line, terms: Terms | None, listed: Listed) -> tuple[str, str, dict[str, object]]:
    """Key and meter of the SKU, and what tells its prices apart."""
    if line.unit == "token":
        model = line.model or (terms.prices.model if terms is not None else "")
        if not line.meter:
            return f"{model}/provisioned", "Tokens", {"x_Model": model}
        details: dict[str, object] = {"x_Model": model, "x_TokenKind": line.meter}
        if line.tier:
            details["x_AboveTokens"] = str(listed.above)
        return f"{model}/{line.meter}", _METERS[line.meter], details
    kind = line.accelerator or "any"
    details = {"GpuCount": 1, "InstanceType": kind}
    return f"{kind}/accelerator-hour", _METERS["accelerator_hour"], details
