"""What one more node, pool or megawatt would be worth: found by placing again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from neocloud.planner.answers import Worth
from neocloud.planner.demand import HOURS
from neocloud.planner.placing import place
from neocloud.planner.placing.program import SolverError
from neocloud.planner.progress import Progress, silent
from neocloud.planner.records import Binding
from neocloud.planner.setting import Placed, Setting, Spares

MOST = 8
"""Limits that are looked at: those that the plan uses up, in its order."""
_MEGAWATT_KW = 1e3


@dataclass(frozen=True, slots=True)
class _More:
    what: str
    where: str
    setting: Setting


def worth(
    setting: Setting,
    placed: Placed,
    binding: tuple[Binding, ...],
    seconds: float,
    progress: Progress = silent,
) -> tuple[Worth, ...]:
    """Place again with a little more of each limit that binds, for `seconds` each at most.

    What does not end in that time is left out.
    """
    found = []
    tries = list(_tries(setting, binding))[:MOST]
    for done, more in enumerate(tries):
        progress(f"what one more {more.what} at {more.where} is worth", done / len(tries))
        answer = _again(more.setting, seconds)
        if answer is None:
            continue
        saved = (placed.cost - answer.cost) / HOURS
        open_ = (placed.cost - placed.bound + answer.cost - answer.bound) / HOURS
        found.append(
            Worth(
                what=more.what,
                where=more.where,
                saved_per_hour=max(0.0, saved),
                uncertain_per_hour=open_,
            )
        )
    return tuple(found)


def spares_cost(setting: Setting, placed: Placed, seconds: float) -> float | None:
    """What spares cost an hour: the same placement without them.

    None where there are none, or where it does not end in time.
    """
    if setting.spares is Spares.NONE:
        return None
    answer = _again(replace(setting, spares=Spares.NONE), seconds)
    return None if answer is None else max(0.0, placed.cost - answer.cost) / HOURS


def _again(setting: Setting, seconds: float) -> Placed | None:
    try:
        return place(setting, target_gap=1e-3, seconds=seconds)
    except SolverError:
        return None


def _tries(setting: Setting, binding: tuple[Binding, ...]) -> Iterator[_More]:
    for b in binding:
        if b.limit == "accelerators":
            site, _, pool = b.where.partition("/")
            node = setting.node_accelerators[site, pool]
            there = setting.accelerators[site, pool]
            yield _More("node", b.where, _accelerators(setting, site, pool, there + node))
            yield _More("pool", b.where, _accelerators(setting, site, pool, 2 * there))
        elif b.limit in ("power", "cooling"):
            yield _More("megawatt", b.where, _megawatt(setting, b.where))


def _accelerators(setting: Setting, site: str, pool: str, count: int) -> Setting:
    return replace(setting, accelerators={**setting.accelerators, (site, pool): count})


def _megawatt(setting: Setting, site: str) -> Setting:
    """One more megawatt of the steadiest contract, at its price; ladder and cooling as well.

    It obliges to nothing: what the megawatt itself would cost is another question.
    """
    contracts = list(setting.contracts[site])
    best = max(range(len(contracts)), key=lambda c: min(contracts[c].availability))
    chosen = contracts[best]
    if chosen.capacity_kw is not None:
        more = chosen.capacity_kw + _MEGAWATT_KW
        kept = chosen.take_or_pay * chosen.capacity_kw / more
        contracts[best] = replace(chosen, capacity_kw=more, take_or_pay=kept)
    active = {s: kw + (_MEGAWATT_KW if s == site else 0.0) for s, kw in setting.active_kw.items()}
    cooled = {s: kw + (_MEGAWATT_KW if s == site else 0.0) for s, kw in setting.cooling_kw.items()}
    return replace(
        setting,
        contracts={**setting.contracts, site: tuple(contracts)},
        active_kw=active,
        cooling_kw=cooled,
    )
