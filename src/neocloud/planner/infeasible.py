"""Why a cloud cannot serve its demand, in the words of its file."""

from __future__ import annotations

from collections.abc import Mapping

from neocloud.planner.candidates import Found
from neocloud.planner.demand import DemandClass
from neocloud.planner.placement import Setting, Shortage, reaches, shortages
from neocloud.spec import Cloud

_USERS_SHOWN = 3


class InfeasibleError(Exception):
    """No plan exists. `reasons` name each limit that binds, where, and what is missing."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def explain(
    cloud: Cloud, setting: Setting, found: Mapping[tuple[str, str, str], Found]
) -> tuple[str, ...]:
    """One sentence a limit: what binds, where the file states it, what would lift it."""
    reasons = _unreachable(cloud, setting, found)
    if reasons:
        return tuple(reasons)
    return tuple(_say(cloud, s) for s in shortages(setting))


def _unreachable(
    cloud: Cloud, setting: Setting, found: Mapping[tuple[str, str, str], Found]
) -> list[str]:
    """Demand that no candidate anywhere could serve, whatever the capacity; a sentence a model."""
    stranded: dict[str, list[DemandClass]] = {}
    for demand in setting.classes:
        if not any(reaches(setting, demand, option) for option in setting.options):
            stranded.setdefault(demand.model, []).append(demand)
    reasons = []
    for model, classes in stranded.items():
        users = [f"{d.metro} ({_round_trips(setting, d)})" for d in classes]
        shown = ", ".join(users[:_USERS_SHOWN])
        more = len(users) - _USERS_SHOWN
        sites = {site for d in classes for site in d.sites}
        tried = "; ".join(
            f"{site}/{pool} reaches {f.nearest or 'only users nearer by'}"
            for (site, pool, name), f in found.items()
            if name == model and site in sites
        )
        reasons.append(
            f"{cloud.where(f'models.{model}.objective')}: the objective of {model} binds: no site "
            f"that may serve them meets it for users in {shown}"
            f"{f' and {more} metros more' if more > 0 else ''}. {tried}. Loosen the objective, "
            "allow another precision, or add a nearer site or a faster accelerator."
        )
    return reasons


def _round_trips(setting: Setting, demand: DemandClass) -> str:
    return ", ".join(
        f"{setting.rtt_ms[demand.metro, site]:.0f} ms to {site}" for site in demand.sites
    )


def _say(cloud: Cloud, s: Shortage) -> str:
    if s.limit == "accelerators":
        site, _, pool = s.where.partition("/")
        where = cloud.where(f"sites.{site}.pools.{pool}")
        return (
            f"{where}: pool {s.where} binds: it holds {s.available:.0f} accelerators and "
            f"{s.missing:.0f} more are needed. Add nodes, or lower the demand."
        )
    active = cloud.active_mw(s.where) if s.limit == "power" else None
    if active is not None and s.available >= active - 1e-9:
        where = cloud.where(f"sites.{s.where}.power_ladder")
        return (
            f"{where}: power at {s.where} binds: {active:.4g} MW are active and {s.missing:.4g} MW "
            "more are needed. Raise active_mw, or lower the demand."
        )
    if s.limit == "power":
        where = cloud.where(f"sites.{s.where}.power")
        return (
            f"{where}: power at {s.where} binds: its contracts give {s.available:.4g} MW in "
            f"every hour and {s.missing:.4g} MW more are needed. Raise capacity_mw, or lower the "
            "demand."
        )
    return (
        f"{s.limit} bind for {s.where}: {s.missing:.2f} requests/s cannot be served anywhere it "
        "may go."
    )
