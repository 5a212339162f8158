"""What inputs must keep. Whoever makes them has told users of their mistakes; these are ours."""

from __future__ import annotations

from collections.abc import Iterable

from neocloud.finance.records import Facility, Inputs


def check(inputs: Inputs) -> None:
    """Refuse inputs that the model would misread.

    Raises:
        ValueError: a series is not one element a month, a key is unknown or there twice, or an
            asset is paid for after its month of service.
    """
    count = inputs.months.count
    series = [
        *((c.key, line) for c in inputs.contracts for line in (c.earned, c.committed)),
        *((c.key, line) for c in inputs.contracts for line in (c.received, c.released) if line),
        *((m.key, m.earned) for m in inputs.merchant),
        *((c.key, line) for c in inputs.costs for line in (c.fixed, c.variable) if line),
    ]
    for key, line in series:
        if len(line) != count:
            raise ValueError(f"{key}: {len(line)} months where the model has {count}")
    contracts = _unique(item.key for item in inputs.contracts)
    assets = _unique(item.key for item in inputs.assets)
    _unique(item.key for item in inputs.facilities)
    for facility in inputs.facilities:
        _known(facility.key, facility.contracts, contracts)
        _known(facility.key, facility.collateral, assets)
        _terms(facility)
    waiting = [
        *((item.key, item.requires) for item in inputs.contracts),
        *((item.key, item.requires) for item in inputs.merchant),
        *((item.key, item.requires) for item in inputs.costs),
    ]
    for key, requires in waiting:
        _known(key, requires, assets)
    for asset in inputs.assets:
        for flow in asset.payments:
            if inputs.months.index(flow.day) > asset.in_service:
                raise ValueError(f"{asset.key}: paid for on {flow.day}, after it is in service")


def _unique(keys: Iterable[str]) -> frozenset[str]:
    listed = list(keys)
    twice = {key for key in listed if listed.count(key) > 1}
    if twice:
        raise ValueError(f"there twice: {', '.join(sorted(twice))}")
    return frozenset(listed)


def _known(key: str, named: Iterable[str], known: frozenset[str]) -> None:
    unknown = sorted(set(named) - known)
    if unknown:
        raise ValueError(f"{key} names {', '.join(unknown)}, which is not there")


def _terms(facility: Facility) -> None:
    if facility.period_months not in {1, 3, 6, 12}:
        raise ValueError(f"{facility.key}: pays every {facility.period_months} months")
    if facility.kind == "delayed_draw" and facility.draws is None and not facility.collateral:
        raise ValueError(f"{facility.key}: drawn as collateral is paid for, and has none")
    if not facility.margin or not facility.base_rate:
        raise ValueError(f"{facility.key}: no rate")
