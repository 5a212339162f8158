"""What a record's fields must fulfil together, and what is filled in from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from neocloud.catalog import PRECISIONS, CatalogError
from neocloud.spec.nodes import Mapping, Node
from neocloud.spec.reader import Reader, default_of
from neocloud.spec.records import (
    Cloud,
    Demand,
    Model,
    Tenant,
    TokenPrices,
)
from neocloud.spec.references import internet_users
from neocloud.spec.sites import Pool, PowerContract, Site
from neocloud.spec.structures import Check

Values = dict[str, Any]

# Figures that a plan cannot do without: attribute of `Accelerator` and its name.
_NEEDED_FIGURES = (
    ("memory_bytes", "memory"),
    ("memory_bytes_per_s", "memory bandwidth"),
    ("tdp_w", "power"),
    ("node_power_w", "node power"),
)

EXACTLY_ONE: MappingType[type[Any], tuple[str, ...]] = {
    PowerContract: ("usd_per_mwh", "eur_per_mwh"),
}
"""Keys of a record of which the file must give one and no more (E110)."""


def _at(node: Node, name: str) -> Node:
    """Where a field stands, or its record where the file leaves it out."""
    return (node.get(name) if isinstance(node, Mapping) else None) or node


def _power_contract(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    names = EXACTLY_ONE[PowerContract]
    given = [name for name in names if _at(node, name) is not node]
    if len(given) != 1:
        message = "a power contract needs one price" if not given else "two prices for one contract"
        reader.problem(node, "E110", message, f"Give either {' or '.join(names)}.")


def _pool(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    key = values.get("accelerator")
    if key is None:
        return
    values.setdefault("key", key)
    accelerator = reader.catalog.accelerator(key)
    place = _at(node, "accelerator")
    for attribute, what in _NEEDED_FIGURES:
        figure = getattr(accelerator, attribute)
        if figure.value is None:
            message = f"the {what} of {key} is not known ({figure.note})"
            reader.problem(place, "E213", message, "Use an accelerator with published figures.")
    if accelerator.capex_usd.value is None and "capex_usd" not in values:
        message = f"the catalog knows no price of an installed {key}"
        reader.problem(place, "E213", message, "Add capex_usd: price of one, installed.")


def _site(values: Values, node: Node, path: str, reader: Reader) -> None:
    pools: tuple[Pool, ...] = values.get("pools", ())
    keys = [pool.key for pool in pools]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            place = _item(_at(node, "pools"), number)
            message = f"the site has two pools {key!r}"
            reader.problem(place, "E214", message, "Give each its own name.")
    metro = values.get("metro")
    if "power" in values or _at(node, "power") is not node or metro is None:
        return
    power = reader.catalog.power(metro)
    if power.price_per_mwh.value is None:
        message = f"the catalog knows no power price at {metro}"
        remedy = "Add power: a list with at least one contract, such as {usd_per_mwh: 80}."
        reader.problem(_at(node, "metro"), "E212", message, remedy)
        return
    price = Decimal(str(power.price_per_mwh.value))
    contract = (
        PowerContract(usd_per_mwh=price)
        if power.currency == "USD"
        else PowerContract(eur_per_mwh=price)
    )
    values["power"] = (contract,)
    reader.mark(f"{path}.power", _at(node, "metro"))


def _item(node: Node, number: int) -> Node:
    items = getattr(node, "items", ())
    return items[number] if number < len(items) and not isinstance(node, Mapping) else node


def _token_prices(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if "input" in values:
        values.setdefault("cached_input", values["input"])


def _model(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    config = values.get("config")
    if config is None:
        return
    names = reader.catalog.architecture_names()
    if config not in names and not config.endswith(".json"):
        message = f"config {config!r} is no model of the catalog and no path of a config.json"
        reader.unknown(_at(node, "config"), "E208", message, config, names)
        return
    try:
        architecture = reader.catalog.architecture(config, reader.base)
    except CatalogError as error:
        near = f"Did you mean {' or '.join(error.nearest)}?" if error.nearest else (
            "Give a name of the catalog or the path of a model's own config.json."
        )  # fmt: skip
        reader.problem(_at(node, "config"), "E208", f"config {error}", near)
        return
    values["architecture"] = architecture
    own = architecture.checkpoint_precision
    if "precisions" not in values and _at(node, "precisions") is node:
        if own not in PRECISIONS:
            message = f"the checkpoint's own precision {own!r} cannot be served"
            remedy = f"Add precisions: one of {', '.join(PRECISIONS)}."
            reader.problem(_at(node, "config"), "E209", message, remedy)
        values["precisions"] = (own,)


def _tenant(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    values.setdefault("name", values["key"])


def _demand(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    if _at(node, "metros") is node:
        values["metros"] = internet_users(reader.catalog)
    if _at(node, "tenant") is node:
        tenants = reader.declared("tenants")
        if len(tenants) == 1:
            values["tenant"] = tenants[0]
        elif tenants:  # none: `tenants` itself is broken, and told there
            message = "the demand has no tenant"
            remedy = f"Add tenant: one of {', '.join(tenants[:12])}."
            reader.problem(node, "E106", message, remedy)


def _cloud(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    currency = values.setdefault("currency", default_of(Cloud, "currency"))
    if "tenants" not in values and _at(node, "tenants") is node:
        values["tenants"] = MappingProxyType({"default": Tenant(key="default", name="default")})
    if "tenants" in values:
        tenants: MappingType[str, Tenant] = values["tenants"]
        values["tenants"] = MappingProxyType(
            {k: t if t.currency else replace(t, currency=currency) for k, t in tenants.items()}
        )
        _contradictions(values, node, reader)
    _currencies(values, node, reader, currency)


def _contradictions(values: Values, node: Node, reader: Reader) -> None:
    demand: tuple[Demand, ...] = values.get("demand", ())
    for number, asked in enumerate(demand):
        allowed = values["tenants"][asked.tenant].allowed_models
        if allowed is not None and asked.model not in allowed:
            message = f"tenant {asked.tenant} asks for {asked.model}, which it may not use"
            remedy = f"Add {asked.model} to its allowed_models, or drop the demand."
            reader.problem(_item(_at(node, "demand"), number), "E215", message, remedy)


def _currencies(values: Values, node: Node, reader: Reader, currency: str) -> None:
    """Every currency that the file uses must have a rate to the cloud's; each is told once."""
    if "exchange_rates" not in values and _at(node, "exchange_rates") is not node:
        return  # broken already
    rates = values.get("exchange_rates", {})
    used: list[tuple[str, str, Node]] = [
        ("USD", "prices of accelerators, space and network", _at(node, "currency"))
    ]
    sites: MappingType[str, Site] = values.get("sites", {})
    sites_node = _at(node, "sites")
    for site in sites.values():
        site_node = _at(sites_node, site.key)
        contracts = _at(site_node, "power")
        if contracts is site_node:  # the catalog's price, which follows from the metro
            contracts = _at(site_node, "metro")
        for number, contract in enumerate(site.power):
            place = _item(contracts, number)
            price = _at(place, f"{contract.currency.lower()}_per_mwh")
            used.append((contract.currency, f"power of {site.key}", price))
    tenants: MappingType[str, Tenant] = values.get("tenants", {})
    tenants_node = _at(node, "tenants")
    used += [
        (t.currency, f"invoices of {t.key}", _at(_at(tenants_node, t.key), "currency"))
        for t in tenants.values()
    ]
    told = {currency, *rates}
    for code, what, place in used:
        if code not in told:
            told.add(code)
            message = f"no exchange rate from {code} ({what}) to {currency}"
            remedy = f"Add exchange_rates: {{{code}: how many {currency} one {code} is worth}}."
            reader.problem(place, "E210", message, remedy)


CHECKS: dict[type[Any], Check] = {
    PowerContract: _power_contract,
    Pool: _pool,
    Site: _site,
    TokenPrices: _token_prices,
    Model: _model,
    Tenant: _tenant,
    Demand: _demand,
    Cloud: _cloud,
}
"""One function a record whose fields depend on each other."""
