"""What a record's fields must fulfil together, and what is filled in from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from neocloud.catalog import PRECISIONS, CatalogError
from neocloud.spec.assets import Asset
from neocloud.spec.contracts import Contract, Prepayment
from neocloud.spec.debt import Facility
from neocloud.spec.demand import Demand
from neocloud.spec.finance import Finance
from neocloud.spec.finance_checks import FINANCE_CHECKS
from neocloud.spec.finance_whole import needed_sections, whole
from neocloud.spec.money_checks import MONEY_CHECKS
from neocloud.spec.named import named_once
from neocloud.spec.nodes import Node
from neocloud.spec.operations import COST_BASES, Merchant, OperatingCost
from neocloud.spec.places import at, given, item
from neocloud.spec.power import PowerContract
from neocloud.spec.pricing_checks import PRICING_CHECKS, cached_as_input, pools_named
from neocloud.spec.reader import Reader, default_of
from neocloud.spec.records import Cloud, Model, Tenant
from neocloud.spec.references import internet_users
from neocloud.spec.serving import TokenPrices
from neocloud.spec.sites import EnergyMeter, Site
from neocloud.spec.structures import Check
from neocloud.spec.supply_checks import PRICES, SUPPLY_CHECKS

Values = dict[str, Any]

_Paid = Contract | Asset | Facility | Merchant | OperatingCost
"""Records with a currency of their own."""
_MOST_USD_PER_MWH = 5000
_LEAST_USD_PER_MTOK = Decimal("0.0005")
"""Below it a price cannot be one of a million tokens: the cheapest offers ask 0.01."""

EXACTLY_ONE: MappingType[type[Any], tuple[str, ...]] = {
    PowerContract: PRICES,
    Prepayment: ("share", "amount"),
    EnergyMeter: ("csv", "prometheus"),
    OperatingCost: COST_BASES,
}
"""Keys of a record of which the file must give one and no more (E110)."""


def _model(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    config = values.get("config")
    if config is None:
        return
    names = reader.catalog.architecture_names()
    if config not in names and not config.endswith(".json"):
        message = f"config {config!r} is no model of the catalog and no path of a config.json"
        reader.unknown(at(node, "config"), "E208", message, config, names)
        return
    try:
        architecture = reader.catalog.architecture(config, reader.base)
    except CatalogError as error:
        near = f"Did you mean {' or '.join(error.nearest)}?" if error.nearest else (
            "Give a name of the catalog or the path of a model's own config.json."
        )  # fmt: skip
        reader.problem(at(node, "config"), "E208", f"config {error}", near)
        return
    values["architecture"] = architecture
    own = architecture.published_precision
    if "precisions" not in values and at(node, "precisions") is node:
        if own not in PRECISIONS:
            message = f"the checkpoint's own precision {own!r} cannot be served"
            remedy = f"Add precisions: one of {', '.join(PRECISIONS)}."
            reader.problem(at(node, "config"), "E209", message, remedy)
        values["precisions"] = (own,)


def _tenant(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    values.setdefault("name", values["key"])
    credits_ = values.get("prepaid_credits", ())
    named_once(credits_, at(node, "prepaid_credits"), "credits", reader)


def _demand(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if not given(node, "metros"):
        values["metros"] = internet_users(reader.catalog)
    if not given(node, "tenant"):
        tenants = reader.declared("tenants")
        if len(tenants) == 1:
            values["tenant"] = tenants[0]
        elif tenants:  # none: `tenants` itself is broken, and told there
            message = "the demand has no tenant"
            remedy = f"Add tenant: one of {', '.join(tenants[:12])}."
            reader.problem(node, "E106", message, remedy)
    if not given(node, "trace"):
        if not given(node, "requests_per_s"):
            message = "the demand has no requests_per_s"
            remedy = "Add requests_per_s: the mean over the day; or trace: a file of requests."
            reader.problem(node, "E106", message, remedy)
    elif "trace" in values:
        _traced(values, node, reader)


def _traced(values: Values, node: Node, reader: Reader) -> None:
    """Rate, shape and lengths that the file leaves to the trace."""
    path, place = values["trace"], at(node, "trace")
    found = reader.traces[path]
    if not given(node, "requests_per_s"):
        values["requests_per_s"] = found.requests_per_s
        if found.requests_per_s <= 0:
            message = f"all requests of {path} arrive at once: it gives no rate"
            reader.problem(place, "E218", message, "Add requests_per_s.")
    if not given(node, "shape"):
        if found.shape is not None:
            values["shape"] = path
        else:
            reader.note(
                place,
                f"{path} covers {found.span_s / 3600:.1f} h, too short for a daily shape: its rate "
                "holds all day unless shape is given.",
            )
    if not given(node, "lengths"):
        values["lengths"] = path


def _cloud(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    needed_sections(Cloud, "the cloud", ("sites", "models", "demand"), node, reader)
    currency = values.setdefault("currency", default_of(Cloud, "currency"))
    if "tenants" not in values and at(node, "tenants") is node:
        values["tenants"] = MappingProxyType({"default": Tenant(key="default", name="default")})
    if "tenants" in values:
        tenants: MappingType[str, Tenant] = values["tenants"]
        values["tenants"] = MappingProxyType(
            {k: t if t.currency else replace(t, currency=currency) for k, t in tenants.items()}
        )
        _contradictions(values, node, reader)
    _currencies(values, node, reader, currency)
    _power_prices(values, node, reader)
    _token_units(values, node, reader)
    contracts: tuple[Contract, ...] = values.get("contracts", ())
    named_once(contracts, at(node, "contracts"), "contracts", reader)
    whole(values, node, reader)
    pools_named(values, node, reader)


def _contradictions(values: Values, node: Node, reader: Reader) -> None:
    demand: tuple[Demand, ...] = values.get("demand", ())
    for number, asked in enumerate(demand):
        allowed = values["tenants"][asked.tenant].allowed_models
        if allowed is not None and asked.model not in allowed:
            message = f"tenant {asked.tenant} asks for {asked.model}, which it may not use"
            remedy = f"Add {asked.model} to its allowed_models, or drop the demand."
            reader.problem(item(at(node, "demand"), number), "E215", message, remedy)


def _currencies(values: Values, node: Node, reader: Reader, currency: str) -> None:
    """Every currency that the file uses must have a rate to the cloud's; each is told once."""
    if "exchange_rates" not in values and given(node, "exchange_rates"):
        return  # broken already
    told = {currency, *values.get("exchange_rates", {})}
    for code, what, place in _used(values, node):
        if code not in told:
            told.add(code)
            message = f"no exchange rate from {code} ({what}) to {currency}"
            remedy = f"Add exchange_rates: {{{code}: how many {currency} one {code} is worth}}."
            reader.problem(place, "E210", message, remedy)


def _used(values: Values, node: Node) -> Iterator[tuple[str, str, Node]]:
    """Currencies of the file: each with what it is of, and where it stands."""
    yield "USD", "prices of accelerators, space and network", at(node, "currency")
    sites: MappingType[str, Site] = values.get("sites", {})
    for site in sites.values():
        site_node = at(at(node, "sites"), site.key)
        contracts = at(site_node, "power" if given(site_node, "power") else "metro")
        for number, power in enumerate(site.power):
            place = item(contracts, number)
            name = next((name for name in ("currency", *PRICES) if given(place, name)), "")
            yield power.currency, f"power of {site.key}", at(place, name)
    tenants: MappingType[str, Tenant] = values.get("tenants", {})
    for t in tenants.values():
        yield t.currency, f"invoices of {t.key}", at(at(at(node, "tenants"), t.key), "currency")
    finance: Finance = values.get("finance") or Finance()
    lists: list[tuple[Node, tuple[_Paid, ...]]] = [
        (at(node, "contracts"), values.get("contracts", ())),
        (at(at(node, "finance"), "assets"), finance.assets),
        (at(at(node, "finance"), "debt"), finance.debt),
        (at(at(node, "finance"), "merchant"), finance.merchant),
        (at(at(node, "finance"), "costs"), finance.costs),
    ]
    for where, records in lists:
        for number, record in enumerate(records):
            yield record.currency, record.key, at(item(where, number), "currency")
    if (rental := values.get("rental")) is not None:
        yield rental.currency, "rental", at(at(node, "rental"), "currency")


def _power_prices(values: Values, node: Node, reader: Reader) -> None:
    """Prices per kWh in the place of prices per MWh, and an order that is not that of cost."""
    rates = {reader.currency: Decimal(1), **values.get("exchange_rates", {})}
    sites: MappingType[str, Site] = values.get("sites", {})
    for site in sites.values():
        contracts = at(at(at(node, "sites"), site.key), "power")
        prices: list[Decimal] = []
        for number, power in enumerate(site.power):
            if power.currency not in rates or "USD" not in rates:
                return  # told already
            price = power.price_per_mwh * rates[power.currency]
            usd = price / rates["USD"]
            prices.append(price)
            if 0 < usd < 1 or usd > _MOST_USD_PER_MWH:
                place = item(contracts, number)
                name = next((name for name in PRICES if given(place, name)), "")
                amount = f"{power.price_per_mwh} {power.currency}"
                message = f"{amount} a MWh looks like a price per kWh"
                if usd > 1:
                    message = f"{amount} a MWh is {usd:,.0f} USD, too much for energy"
                remedy = "Write a price per MWh: 89 for 0.089 a kWh; 0 for energy that is free."
                reader.problem(at(place, name), "E111", message, remedy)
        if prices != sorted(prices):
            reader.note(
                contracts,
                f"sites.{site.key}.power: a later contract costs less than one before it. `plan` "
                "draws from the cheapest first, not in the order of the file.",
            )


def _token_units(values: Values, node: Node, reader: Reader) -> None:
    """Prices per token or per thousand in the place of prices per million."""
    rates = {reader.currency: Decimal(1), **values.get("exchange_rates", {})}
    if "USD" not in rates:
        return
    models: MappingType[str, Model] = values.get("models", {})
    for model in models.values():
        for name in ("input", "output"):
            price: Decimal = getattr(model.price_per_mtok, name)
            if 0 < price / rates["USD"] < _LEAST_USD_PER_MTOK:
                place = at(at(at(node, "models"), model.key), "price_per_mtok")
                message = f"{price} for a million tokens of {name} looks like a price per token"
                remedy = "Write a price per million tokens: 0.10 for 0.0000001 a token."
                reader.problem(at(place, name), "E111", message, remedy)


CHECKS: dict[type[Any], Check] = {
    **SUPPLY_CHECKS,
    **MONEY_CHECKS,
    **FINANCE_CHECKS,
    **PRICING_CHECKS,
    TokenPrices: cached_as_input,
    Model: _model,
    Tenant: _tenant,
    Demand: _demand,
    Cloud: _cloud,
}
"""One function a record whose fields depend on each other."""
