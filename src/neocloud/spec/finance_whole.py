"""What finance must fulfil together with the rest of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from neocloud.spec.assets import Asset
from neocloud.spec.contracts import Contract
from neocloud.spec.fields import described
from neocloud.spec.finance import Finance
from neocloud.spec.horizon import horizon, months_after
from neocloud.spec.nodes import Node
from neocloud.spec.places import at, given, item
from neocloud.spec.reader import Reader
from neocloud.spec.sites import Site

Values = dict[str, Any]


def whole(cloud: Values, node: Node, reader: Reader) -> None:
    """Check what refers to more than one section."""
    finance: Finance | None = cloud.get("finance")
    if finance is None:
        return
    contracts: tuple[Contract, ...] = cloud.get("contracts", ())
    place = at(node, "finance")
    _secured(cloud, finance, place, reader)
    _once(finance, place, reader)
    if "sites" in cloud or not given(node, "sites"):  # else they are broken, and told there
        _pools(cloud.get("sites", {}), finance.assets, at(place, "assets"), reader)
    if finance.opening is not None and finance.opening.contract_liabilities and not contracts:
        message = "contract_liabilities are owed to customers without a contract"
        where = at(at(place, "opening"), "contract_liabilities")
        reader.problem(where, "E106", message, "Add contracts: what was paid for.")
    if finance.months is not None:
        _beyond(contracts, finance, node, reader)


def needed_sections(
    record: type[Any], what: str, names: Iterable[str], node: Node, reader: Reader
) -> None:
    """Tell of fields that only a file of figures alone may leave out (E106)."""
    if reader.figures_alone:
        return
    fields = {field.name: field for field in described(record)}
    for name in names:
        if not given(node, name):
            reader.lacks(node, what, fields[name])


def _secured(cloud: Values, finance: Finance, place: Node, reader: Reader) -> None:
    """Debt stays within what its collateral cost, at the advance rate where there is one."""
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
            where = item(at(place, "debt"), number)
            remedy = "Lower the commitment, or name more collateral."
            reader.problem(at(where, "commitment"), "E112", message, remedy)


def _once(finance: Finance, place: Node, reader: Reader) -> None:
    """No asset secures two facilities: its price would be counted twice."""
    secures: dict[str, str] = {}
    for number, facility in enumerate(finance.debt):
        for key in facility.collateral:
            if key in secures:
                message = f"{key} secures {secures[key]} and {facility.key}: it counts twice"
                where = at(item(at(place, "debt"), number), "collateral")
                remedy = "Name it once, or part it into two assets."
                reader.problem(where, "E112", message, remedy)
            secures.setdefault(key, facility.key)


def _pools(sites: Mapping[str, Site], assets: Sequence[Asset], place: Node, reader: Reader) -> None:
    """Pools that assets name are of this file, owned, and each is of one asset."""
    pools = {f"{s.key}/{p.key}": p for s in sites.values() for p in s.pools}
    owner: dict[str, str] = {}
    for number, asset in enumerate(assets):
        where = at(item(place, number), "pools")
        for name in asset.pools:
            if name not in pools:
                message = f"pools: {name!r} is no pool of this file"
                reader.unknown(where, "E203", message, name, pools)
            elif pools[name].ownership == "leased":
                message = f"{name} is leased, and no asset of one's own"
                reader.problem(where, "E112", message, "Leave it out, or change its ownership.")
            elif name in owner:
                message = f"{name} is the asset {owner[name]} already"
                reader.problem(where, "E112", message, "Name each pool once.")
            owner.setdefault(name, asset.key)


def _beyond(contracts: Sequence[Contract], finance: Finance, node: Node, reader: Reader) -> None:
    """Note what comes after the last month that is reckoned."""
    first, months = horizon(contracts, finance, date.max)
    end = months_after(first, months)
    for where, what in _days(contracts, finance, node):
        for day, told in what:
            if day >= end:
                reader.note(
                    where,
                    f"{told} {day}, after the {months} months that are reckoned from {first} on: "
                    "it does not count. Raise finance.months.",
                )


def _days(
    contracts: Sequence[Contract], finance: Finance, node: Node
) -> Iterator[tuple[Node, list[tuple[date, str]]]]:
    for number, contract in enumerate(contracts):
        place = item(at(node, "contracts"), number)
        yield place, [(contract.start, f"contract {contract.key} starts on")]
    money = at(node, "finance")
    for number, asset in enumerate(finance.assets):
        place = item(at(money, "assets"), number)
        yield place, [(asset.in_service, f"asset {asset.key} is in service on")]
    for number, facility in enumerate(finance.debt):
        place = item(at(money, "debt"), number)
        days = [(facility.start, f"facility {facility.key} starts on")]
        days += [(draw.day, f"facility {facility.key} is drawn on") for draw in facility.draws]
        yield place, days
        if facility.conversion is not None:
            told = f"facility {facility.key} becomes shares on"
            yield at(place, "conversion"), [(facility.conversion.day, told)]
    for number, paid in enumerate(finance.equity):
        yield item(at(money, "equity"), number), [(paid.day, "owners pay in on")]


__all__ = ["needed_sections", "whole"]
