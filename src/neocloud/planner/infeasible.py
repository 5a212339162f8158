"""Why a cloud cannot serve its demand, in the words of its file."""

from __future__ import annotations

from collections.abc import Mapping

from neocloud.planner.candidates import Found
from neocloud.planner.placement import Setting, Shortage, reaches, shortages
from neocloud.spec import Cloud


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
    """Classes of demand that no candidate anywhere could serve, whatever the capacity."""
    reasons = []
    for demand in setting.classes:
        if any(reaches(setting, demand, option) for option in setting.options):
            continue
        where = cloud.where(f"models.{demand.model}.objective")
        tried = [
            f"{site}/{pool}: {f.nearest or 'reaches only users nearer by'}"
            for (site, pool, model), f in found.items()
            if model == demand.model and site in demand.sites
        ]
        rtts = ", ".join(
            f"{setting.rtt_ms[demand.metro, site]:.0f} ms to {site}" for site in demand.sites
        )
        reasons.append(
            f"{where}: no site that may serve it reaches {demand.model}'s objective for users in "
            f"{demand.metro} ({rtts}). {'; '.join(tried)}. Loosen the objective, add a site nearer "
            "by, or add a faster accelerator."
        )
    return reasons


def _say(cloud: Cloud, s: Shortage) -> str:
    if s.limit == "accelerators":
        site, _, pool = s.where.partition("/")
        where = cloud.where(f"sites.{site}.pools.{pool}")
        return (
            f"{where}: pool {s.where} binds: it holds {s.available:.0f} accelerators and "
            f"{s.missing:.0f} more are needed. Add nodes, or lower the demand."
        )
    if s.limit == "power":
        where = cloud.where(f"sites.{s.where}.power")
        return (
            f"{where}: power at {s.where} binds: its contracts give {s.available:.3f} MW and "
            f"{s.missing:.3f} MW more are needed. Raise capacity_mw, or lower the demand."
        )
    return (
        f"{s.limit} bind for {s.where}: {s.missing:.2f} requests/s cannot be served anywhere it "
        "may go."
    )
