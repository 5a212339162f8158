"""Two clouds side by side: at equal objectives, and at equal cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocloud.catalog import Catalog
from neocloud.perf import Predictor
from neocloud.planner.build import TARGET_GAP, make_plan
from neocloud.planner.comparison import Comparison, EqualCost, Pair
from neocloud.planner.demand import HOURS
from neocloud.planner.equal_cost import MAX_FACTOR, loosen, with_factor
from neocloud.planner.figures import pair_of
from neocloud.planner.placing.program import SolverError
from neocloud.planner.progress import Progress, silent
from neocloud.planner.records import ModelSummary, Plan
from neocloud.planner.verdict import verdict
from neocloud.spec import Cloud

_SAME_COST = 2.0 * TARGET_GAP
"""Costs this near together are alike: each plan is sought to within `TARGET_GAP`."""
_SAME = 1e-4
"""Rates and lengths this near together are the same."""
_SHOWN = 4


class ComparisonError(ValueError):
    """Two clouds that cannot be set side by side; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of two clouds.

    Attributes:
        name: by which tables and sentences call it.
        cloud: the checked file.
        catalog: where its keys lead.
        plan: made from it.
    """

    name: str
    cloud: Cloud
    catalog: Catalog
    plan: Plan


def check_comparable(first: Cloud, second: Cloud) -> None:
    """Make sure that costs can be held against each other.

    Raises:
        ComparisonError: they are in two currencies.
    """
    if first.currency != second.currency:
        raise ComparisonError(
            f"{first.file} counts in {first.currency}, {second.file} in {second.currency}: their "
            "costs cannot be compared. Give both the same `currency`, with `exchange_rates`."
        )


def compare(
    first: Contender,
    second: Contender,
    predictor: Predictor,
    max_factor: float = MAX_FACTOR,
    progress: Progress = silent,
) -> Comparison:
    """Set two planned clouds side by side.

    Args:
        first: the one that is asked about.
        second: what it is held against.
        predictor: what both plans rest on; those with loosened objectives do too.
        max_factor: objectives are loosened this many times at most.
        progress: told what is being done.

    Raises:
        ComparisonError: see `check_comparable`.
        InfeasibleError: a cloud cannot be planned with looser objectives, though it was without.
        SolverError: nor was a plan with looser objectives found in the time that the file gives.
    """
    check_comparable(first.cloud, second.cloud)
    pair = pair_of(first.plan, second.plan)
    equal = _equal_cost(first, second, pair, predictor, max_factor, progress)
    notes = tuple(_differences(first, second))
    answer = verdict(first.name, second.name, first.cloud.currency, pair, equal)
    return Comparison(
        first=first.name,
        second=second.name,
        currency=first.cloud.currency,
        notes=notes,
        at_equal_objectives=pair,
        at_equal_cost=equal,
        answer=f"Both do not ask for the same (see the notes). {answer}" if notes else answer,
    )


def _equal_cost(
    first: Contender,
    second: Contender,
    pair: Pair,
    predictor: Predictor,
    max_factor: float,
    progress: Progress,
) -> EqualCost:
    costs = pair.first.total_per_hour, pair.second.total_per_hour
    if max(costs) <= min(costs) * (1.0 + _SAME_COST):
        return EqualCost(
            loosened=None, factor=1.0, reached=True, max_factor=max_factor, trials=(), pair=pair
        )
    dear = first if costs[0] > costs[1] else second
    found = loosen(dear.plan, min(costs), _planner(dear, predictor, progress), max_factor)
    both = (found.plan, second.plan) if dear is first else (first.plan, found.plan)
    return EqualCost(
        loosened=dear.name,
        factor=found.factor,
        reached=found.reached,
        max_factor=max_factor,
        trials=found.trials,
        pair=pair_of(*both),
    )


def _planner(
    contender: Contender, predictor: Predictor, progress: Progress
) -> Callable[[float], Plan]:
    def plan_at(factor: float) -> Plan:
        def told(what: str, share: float | None) -> None:
            progress(f"{contender.name}, objectives times {factor:.3g}: {what}", share)

        cloud = with_factor(contender.cloud, factor)
        try:
            return make_plan(cloud, contender.catalog, told, predictor)
        except SolverError as error:
            raise SolverError(
                f"{contender.name} with its objectives times {factor:.3g}: {error}"
            ) from None

    return plan_at


def _differences(first: Contender, second: Contender) -> Iterator[str]:
    """What both do not ask for alike, a sentence each."""
    one, other = _rates(first.plan), _rates(second.plan)
    unequal = [
        f"{model} from {metro} {_unlike(one.get((model, metro)), other.get((model, metro)))}"
        for model, metro in sorted(one.keys() | other.keys())
        if not _same(one.get((model, metro)), other.get((model, metro)))
    ]
    if unequal:
        totals = [sum(float(r.mean()) for r in rates.values()) for rates in (one, other)]
        yield (
            f"Their demand differs, so neither cost nor latency is of the same service: "
            f"{totals[0]:.4g} requests/s in all against {totals[1]:.4g}; {_listed(unequal)}."
        )
    summaries = {m.model: m for m in second.plan.models}
    both = [(m, summaries[m.model]) for m in first.plan.models if m.model in summaries]
    longer = [
        f"{m.model} {_lengths(m)} against {_lengths(n)}" for m, n in both if not _same_lengths(m, n)
    ]
    if longer:
        yield f"Lengths of requests differ (tokens in/out): {_listed(longer)}."
    stricter = [
        f"{m.model} {_objective(m)} against {_objective(n)}"
        for m, n in both
        if _objective(m) != _objective(n)
    ]
    if stricter:
        yield f"Objectives are not equal (ttft/tpot ms at percentile): {_listed(stricter)}."
    if first.plan.confidence != second.plan.confidence:
        yield (
            f"Predictions are taken at a confidence of {first.plan.confidence:.0%} against "
            f"{second.plan.confidence:.0%}."
        )


def _rates(plan: Plan) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Requests/s by (model, user metro), shape (24,)."""
    found: dict[tuple[str, str], NDArray[np.float64]] = {}
    for f in plan.flows:
        key = f.model, f.user_metro
        found[key] = found.get(key, np.zeros(HOURS)) + np.array(f.requests_per_s_by_hour)
    return found


def _unlike(one: NDArray[np.float64] | None, other: NDArray[np.float64] | None) -> str:
    means = [0.0 if rates is None else float(rates.mean()) for rates in (one, other)]
    if abs(means[0] - means[1]) <= _SAME * max(means):
        return f"in other hours ({means[0]:.4g} in both on average)"
    return f"{means[0]:.4g} against {means[1]:.4g}"


def _same(one: NDArray[np.float64] | None, other: NDArray[np.float64] | None) -> bool:
    if one is None or other is None:
        return False
    return bool(np.allclose(one, other, rtol=_SAME, atol=_SAME * float(one.mean())))


def _same_lengths(m: ModelSummary, n: ModelSummary) -> bool:
    one = np.array([m.input_tokens_per_request, m.output_tokens_per_request])
    return bool(
        np.allclose(one, [n.input_tokens_per_request, n.output_tokens_per_request], rtol=_SAME)
    )


def _lengths(m: ModelSummary) -> str:
    return f"{m.input_tokens_per_request:.4g}/{m.output_tokens_per_request:.4g}"


def _objective(m: ModelSummary) -> str:
    return f"{m.objective_ttft_ms:g}/{m.objective_tpot_ms:g} at {m.percentile:g}"


def _listed(items: list[str]) -> str:
    more = len(items) - _SHOWN
    shown = ", ".join(items[:_SHOWN])
    return f"{shown}, and {more} more" if more > 0 else shown
