"""What sites, pools, power and accelerators must fulfil, and what is filled in from the catalog."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from neocloud.catalog import MetroPower
from neocloud.spec.accelerators import AcceleratorEntry, shipped
from neocloud.spec.finance_whole import needed_sections
from neocloud.spec.nodes import Mapping, Node
from neocloud.spec.places import at, given, item
from neocloud.spec.power import (
    AVAILABILITY,
    CARBON_G_PER_KWH,
    FIRM,
    SOURCE_OF_KIND,
    PowerContract,
    PowerStep,
)
from neocloud.spec.reader import Reader
from neocloud.spec.sites import EnergyMeter, Pool, Site
from neocloud.spec.structures import Check

Values = dict[str, Any]

PRICES: Final = ("usd_per_mwh", "eur_per_mwh", "price_per_mwh")
"""Keys of a contract of which the file must give one and no more."""
_CURRENCIES: Final = {"usd_per_mwh": "USD", "eur_per_mwh": "EUR"}

_IMPLAUSIBLE: Final = 500.0
"""Contracts over the power of all nodes, from which on kilowatts were meant: that is a factor of a
thousand. Asked only of more than a megawatt: what is built small may be contracted large."""

# Figures that a plan cannot do without: attribute of `Accelerator` and its name.
_NEEDED_FIGURES: Final = (
    ("memory_bytes", "memory"),
    ("memory_bytes_per_s", "memory bandwidth"),
    ("tdp_w", "power"),
    ("node_power_w", "node power"),
)


def _power_contract(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    there = [name for name in PRICES if given(node, name)]
    if len(there) != 1:
        message = "a power contract needs one price" if not there else (
            f"{len(there)} prices for one contract"
        )  # fmt: skip
        names = f"{', '.join(PRICES[:-1])} or {PRICES[-1]}"
        reader.problem(node, "E110", message, f"Give one of {names}.")
    elif there[0] in values:
        _priced(values, there[0], node, reader)
    source = values.get("source") or SOURCE_OF_KIND[values.get("kind", "grid")]
    if not given(node, "source"):
        values["source"] = source
    if not given(node, "availability"):
        values["availability"] = AVAILABILITY.get(source, FIRM)
    if not given(node, "carbon_g_per_kwh") and source in CARBON_G_PER_KWH:
        values["carbon_g_per_kwh"] = CARBON_G_PER_KWH[source]
    if values.get("take_or_pay") and not given(node, "capacity_mw"):
        message = "take_or_pay is a share of a capacity that is not given"
        reader.problem(at(node, "take_or_pay"), "E106", message, "Add capacity_mw.")
    start, end = values.get("start"), values.get("end")
    if start and end and end <= start:
        message = f"the contract ends on {end}, not after its start on {start}"
        reader.problem(at(node, "end"), "E112", message, "Change one of the two days.")


def _priced(values: Values, name: str, node: Node, reader: Reader) -> None:
    values["price_per_mwh"] = values[name]
    currency = _CURRENCIES.get(name, reader.currency)
    if not given(node, "currency"):
        values["currency"] = currency
    elif name in _CURRENCIES and values.get("currency", currency) != currency:
        message = f"{name} is a price in {currency}, not in {values['currency']}"
        reader.problem(at(node, "currency"), "E112", message, "Give price_per_mwh instead.")


_LADDER: Final = ("active_mw", "connected_mw", "contracted_mw", "reserved_mw")


def _power_step(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    below = ""  # the step below that the file gives; what it leaves out is as much as that
    for name in _LADDER:
        if not given(node, name):
            if below:
                values[name] = values[below]
            continue
        if name in values and below and values[name] < values[below]:
            message = f"{below} {values[below]:g} is above {name} {values[name]:g}"
            remedy = "It must be active <= connected <= contracted <= reserved."
            reader.problem(at(node, name), "E112", message, remedy)
        below = name if name in values else below


def _pool(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    _leased(values, node, reader)
    nodes, spare = values.get("nodes"), values.get("spare_nodes", 0)
    if nodes is not None and spare >= nodes:
        message = f"{spare} of {nodes} nodes are spare: none is left to serve"
        reader.problem(at(node, "spare_nodes"), "E112", message, "Keep fewer, or add nodes.")
    key = values.get("accelerator")
    if key is None:
        return
    values.setdefault("key", key)
    accelerator = reader.catalog.accelerator(key)
    place = at(node, "accelerator")
    for attribute, what in _NEEDED_FIGURES:
        figure = getattr(accelerator, attribute)
        if figure.value is None:
            message = f"the {what} of {key} is not known ({figure.note})"
            reader.problem(place, "E213", message, "Use an accelerator with published figures.")
    owned = values.get("ownership", "owned") == "owned"
    if owned and accelerator.capex_usd.value is None and not given(node, "capex_usd"):
        message = f"the catalog knows no price of an installed {key}"
        reader.problem(place, "E213", message, "Add capex_usd: price of one, installed.")
    domain = values.get("fabric_domain")
    if domain is not None and domain > accelerator.scale_up_domain:
        message = f"fabric_domain {domain} is above the {accelerator.scale_up_domain} of {key}"
        remedy = "Give fewer, or describe the accelerator under `accelerators`."
        reader.problem(at(node, "fabric_domain"), "E112", message, remedy)


def _leased(values: Values, node: Node, reader: Reader) -> None:
    leased, priced = values.get("ownership") == "leased", given(node, "lease_usd_per_hour")
    if leased and not priced:
        message = "a leased pool has no price"
        remedy = "Add lease_usd_per_hour: price of one accelerator for an hour."
        reader.problem(at(node, "ownership"), "E106", message, remedy)
    if priced and not leased and "ownership" not in values:
        message = "an owned pool has no lease_usd_per_hour"
        remedy = "Write ownership: leased, or give capex_usd."
        reader.problem(at(node, "lease_usd_per_hour"), "E112", message, remedy)


def _energy_meter(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    there = [name for name in ("csv", "prometheus") if given(node, name)]
    if len(there) != 1:
        message = "the meter needs a table or a server" if not there else "two meters for one site"
        reader.problem(node, "E110", message, "Give one of csv or prometheus.")
    elif there[0] == "prometheus" and not given(node, "query"):
        message = "the meter's prometheus has no query"
        reader.problem(node, "E106", message, "Add query: the site's power in watts.")


def _site(values: Values, node: Node, path: str, reader: Reader) -> None:
    needed_sections(Site, f"sites.{values['key']}", ("pools",), node, reader)
    pools: tuple[Pool, ...] = values.get("pools", ())
    keys = [pool.key for pool in pools]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            place = item(at(node, "pools"), number)
            message = f"the site has two pools {key!r}"
            reader.problem(place, "E214", message, "Give each its own name.")
    _in_order(values.get("power_ladder", ()), at(node, "power_ladder"), reader)
    metro = values.get("metro")
    if metro is not None:
        power = reader.catalog.power(metro)
        if not given(node, "power"):
            _catalog_power(values, power, node, path, reader)
        values["power"] = tuple(_with_carbon(c, power) for c in values.get("power", ()))
    _plausible(values, node, reader)
    _housed(values, node, reader)


def _housed(values: Values, node: Node, reader: Reader) -> None:
    """Nodes stand only where the racks can cool and feed one."""
    for number, pool in enumerate(values.get("pools", ())):
        accelerator = reader.catalog.accelerator(pool.accelerator)
        place = at(item(at(node, "pools"), number), "accelerator")
        if values.get("cooling") == "air" and accelerator.liquid_cooled:
            message = f"{pool.accelerator} needs liquid, and the site cools by air"
            reader.problem(place, "E112", message, "Change cooling, or use another accelerator.")
        node_kw, rack_kw = (accelerator.node_power_w.value or 0.0) / 1e3, values.get("rack_kw")
        if rack_kw is not None and node_kw > rack_kw:
            message = (
                f"a node of {pool.accelerator} draws {node_kw:g} kW, and a rack of the site may "
                f"draw {rack_kw:g}"
            )
            reader.problem(place, "E112", message, "Raise rack_kw, or use another accelerator.")
    _racked(values, node, reader)


def _racked(values: Values, node: Node, reader: Reader) -> None:
    """The nodes of a site find room in its racks, each filled up to what it may draw."""
    rack_kw, racks = values.get("rack_kw"), values.get("racks")
    if racks is None:
        return
    if rack_kw is None:
        message = "racks without rack_kw say nothing"
        reader.problem(
            at(node, "racks"), "E112", message, "Add rack_kw: what one of them may draw."
        )
        return
    needed = 0
    for pool in values.get("pools", ()):
        node_kw = (reader.catalog.accelerator(pool.accelerator).node_power_w.value or 0.0) / 1e3
        in_one = int(rack_kw // node_kw) if node_kw > 0.0 else pool.nodes
        needed += -(-pool.nodes // max(in_one, 1))
    if needed > racks:
        message = f"the nodes need {needed} racks of {rack_kw:g} kW, and the site has {racks}"
        reader.problem(at(node, "racks"), "E112", message, "Add racks, or take away nodes.")


def _catalog_power(
    values: Values, power: MetroPower, node: Node, path: str, reader: Reader
) -> None:
    if power.price_per_mwh.value is None:
        message = f"the catalog knows no power price at {power.metro}"
        remedy = "Add power: a list with at least one contract, such as {usd_per_mwh: 80}."
        reader.problem(at(node, "metro"), "E212", message, remedy)
        return
    contract = PowerContract(
        source="grid",
        availability=FIRM,
        price_per_mwh=Decimal(str(power.price_per_mwh.value)),
        currency=power.currency,
    )
    values["power"] = (contract,)
    reader.mark(f"{path}.power", at(node, "metro"))


def _with_carbon(contract: PowerContract, power: MetroPower) -> PowerContract:
    if contract.carbon_g_per_kwh is not None:
        return contract
    return replace(contract, carbon_g_per_kwh=power.carbon_g_per_kwh.value)


def _in_order(ladder: tuple[PowerStep, ...], node: Node, reader: Reader) -> None:
    for number, (step, after) in enumerate(pairwise(ladder), 1):
        if after.start <= step.start:
            message = f"the step of {after.start} does not follow that of {step.start}"
            reader.problem(item(node, number), "E112", message, "Order steps by their date.")


def _plausible(values: Values, node: Node, reader: Reader) -> None:
    """Megawatts beside what the nodes can draw: a factor of a thousand is a wrong unit."""
    contracts: tuple[PowerContract, ...] = values.get("power", ())
    if "pools" not in values or not given(node, "power") or given(node, "power_ladder"):
        return
    needed = sum(
        pool.nodes * (reader.catalog.accelerator(pool.accelerator).node_power_w.value or 0.0)
        for pool in values["pools"]
    ) / 1e6 * float(values.get("pue", 1.25))  # fmt: skip
    for number, contract in enumerate(contracts):
        there = contract.capacity_mw
        if there is not None and there > 1.0 and needed > 0 and there > _IMPLAUSIBLE * needed:
            message = (
                f"capacity_mw {there:g} is {there / needed:,.0f} times what all nodes of the site "
                f"draw, {needed:.3g} MW"
            )
            remedy = (
                "Write megawatts, not kilowatts. If it is meant, add power_ladder with the "
                "active_mw."
            )
            place = at(item(at(node, "power"), number), "capacity_mw")
            reader.problem(place, "E111", message, remedy)


def _accelerator(values: Values, node: Node, path: str, reader: Reader) -> None:  # noqa: ARG001
    catalog = shipped(reader.catalog)
    key = values["key"]
    if not given(node, "like") and key not in catalog.accelerators:
        message = f"{key} is no accelerator of the catalog, and does not say what it is like"
        remedy = "Add like: the key of one of the catalog; what is left out comes from there."
        reader.problem(node, "E106", message, remedy)
        return
    if given(node, "like") and "like" not in values:
        return
    made = AcceleratorEntry(**values).accelerator(catalog)
    tdp, whole = made.tdp_w.value, made.node_power_w.value
    if tdp is None or whole is None or not isinstance(node, Mapping):
        return
    if whole < made.node_accelerators * tdp and any(
        given(node, name) for name in ("tdp_w", "node_power_w", "node_accelerators")
    ):
        message = (
            f"a node of {made.node_accelerators} that may draw {tdp:g} W each draws more than "
            f"node_power_w {whole:g}"
        )
        remedy = "node_power_w is of the whole node, tdp_w of one accelerator, in watts."
        reader.problem(node, "E112", message, remedy)


SUPPLY_CHECKS: Final[dict[type[Any], Check]] = {
    PowerContract: _power_contract,
    PowerStep: _power_step,
    Pool: _pool,
    EnergyMeter: _energy_meter,
    Site: _site,
    AcceleratorEntry: _accelerator,
}
"""One function a record whose fields depend on each other."""
