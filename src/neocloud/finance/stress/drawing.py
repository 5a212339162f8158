"""Paths of what chance does, as shocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neocloud.finance.arithmetic import Array
from neocloud.finance.records import Contract, Inputs
from neocloud.finance.shocks import Shocks
from neocloud.finance.stress.customers import base_use
from neocloud.finance.stress.history import Regimes
from neocloud.finance.stress.processes import FACTORS, Processes

FULL = 0.999
"""Utilisation counts as no more than this: the logit of 1 is endless."""

UNKNOWN_CREDIT = "unrated"

Months = NDArray[np.int64]


class Chance(Protocol):
    """Where random numbers come from; a generator of numpy is one."""

    def standard_normal(self, size: tuple[int, ...]) -> Array:
        """Normal numbers of mean 0 and deviation 1."""

    def random(self, size: tuple[int, ...]) -> Array:
        """Numbers from 0 to below 1, all alike likely."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Paths.

    Attributes:
        shocks: for the model.
        badness: how bad each factor was on the mean until each month; (factors, months, paths).
    """

    shocks: Shocks
    badness: Array


def innovations(p: Processes, chance: Chance, months: int, paths: int) -> Array:
    """Of the factors, shape (factors, months, paths)."""
    common = chance.standard_normal((months, paths))
    own = chance.standard_normal((len(FACTORS), months, paths))
    loads = np.array([p.loadings[factor] for factor in FACTORS])[:, None, None]
    return loads * common + np.sqrt(1.0 - loads**2) * own


def drawn(p: Processes, inputs: Inputs, chance: Chance, paths: int) -> Drawn:
    """Paths of all factors.

    Args:
        p: the processes.
        inputs: the base case.
        chance: random numbers; the same ones give the same paths.
        paths: how many.
    """
    months = inputs.months.count
    moves = dict(zip(FACTORS, innovations(p, chance, months, paths), strict=True))
    rental = rental_logs(p.regimes, p.rental_noise, moves["rental"], chance)
    token = reverting(moves["token"] * p.token_noise, p.token_half_life)
    use = reverting(moves["utilisation"] * p.use_noise, p.use_half_life)
    rates = reverting(moves["rates"] * p.rate_noise, p.rate_half_life)
    gone = defaults(p, inputs.contracts, moves["credit"], chance)
    delay = delays(p, inputs, moves["build"], chance)
    shocks = Shocks(
        rental=tuple(np.exp(rental)),
        token=tuple(np.exp(token)),
        utilisation=tuple(use_factors(inputs, use)),
        base_rate=tuple(rates),
        delay=delay,
        alive=_alive(inputs.contracts, gone, months),
        relet=_let_again(p, inputs.contracts, gone, months),
        fee_collected=0,
    )
    lost = _lost_share(inputs, gone, months, paths)
    late = np.zeros((1, paths)) + sum(delay.values(), start=np.zeros(paths))
    bad = [-rental, -token, -use, lost, rates, np.broadcast_to(late, (months, paths))]
    until = np.arange(1, months + 1)[:, None]
    badness = np.stack([np.cumsum(level, axis=0) / until for level in bad])
    return Drawn(shocks=shocks, badness=badness)


def reverting(moves: Array, half_life: float) -> Array:
    """Levels that start at 0, move, and lose half of their distance to 0 in a half-life."""
    keep = 0.5 ** (1.0 / half_life)
    level = np.zeros(moves.shape[1])
    levels = np.empty_like(moves)
    for month, move in enumerate(moves):
        level = keep * level + move
        levels[month] = level
    return levels


def rental_logs(regimes: Regimes, noise: float, moves: Array, chance: Chance) -> Array:
    """Logarithms of the rental price over the base case's, shape (months, paths).

    Which regime it begins in is drawn by how long each lasts. The month's innovation and a number
    of its own, both alike, end it: a fall ends when their sum is high, a rise when it is low, as
    often as its mean length says.
    """
    months, paths = moves.shape
    starts = chance.random((paths,))
    own = chance.standard_normal((months, paths))
    jumps = chance.random((months, paths))
    whole = regimes.falling_months + regimes.rising_months
    rising = starts < regimes.rising_months / whole
    end_fall = _quantile(1.0 - 1.0 / regimes.falling_months)
    end_rise = _quantile(1.0 / regimes.rising_months)
    signals = (moves + own) / math.sqrt(2.0)
    up = jumps < regimes.jumps_a_month / 2.0
    down = jumps >= 1.0 - regimes.jumps_a_month / 2.0
    keep = math.exp(-regimes.reversion)
    settled = (1.0 - keep) / regimes.reversion
    level = np.zeros(paths)
    levels = np.empty((months, paths))
    for month in range(months):
        drift = np.where(rising, regimes.rising, regimes.falling) * settled
        jump = regimes.jump * (up[month].astype(float) - down[month])
        level = keep * level + drift + noise * moves[month] + jump
        levels[month] = level
        signal = signals[month]
        rising = np.where(rising, signal >= end_rise, signal > end_fall)
    return levels


def use_factors(inputs: Inputs, logits: Array) -> Array:
    """Factors on use: the logit of the base case's utilisation is moved."""
    use = np.minimum([float(value) for value in base_use(inputs)], FULL)[:, None]
    odds = use / (1.0 - use) * np.exp(logits)
    moved: Array = odds / (1.0 + odds) / use
    return moved


def defaults(
    p: Processes, contracts: Sequence[Contract], moves: Array, chance: Chance
) -> Mapping[str, Months]:
    """Month of default by customer; the count of months where there is none.

    In a month with level L of customers' worth, itself a normal number of deviation 1 over paths,
    a customer defaults with the chance of Vasicek's model, Phi((Phi^-1(p) - r L) / sqrt(1 - r^2)),
    whose mean is the chance p of its class. r is the loading of `credit`.
    """
    months, paths = moves.shape
    levels = reverting(moves, p.credit_half_life)
    keep = 0.5 ** (1.0 / p.credit_half_life)
    spread = np.sqrt((1.0 - keep ** (2.0 * np.arange(1, months + 1))) / (1.0 - keep**2))
    worth = levels / spread[:, None]
    loading = p.loadings["credit"]
    found = {}
    for customer in sorted({contract.customer for contract in contracts}):
        uniform = chance.random((months, paths))
        classes = {c.credit or UNKNOWN_CREDIT for c in contracts if c.customer == customer}
        yearly = max(p.default_rates[credit] for credit in classes)
        if not yearly:
            found[customer] = np.full(paths, months)
            continue
        monthly = 1.0 - (1.0 - yearly) ** (1.0 / 12.0)
        limit = (_quantile(monthly) - loading * worth) / math.sqrt(1.0 - loading**2)
        hit = uniform < normal_share(limit)
        found[customer] = np.where(hit.any(axis=0), np.argmax(hit, axis=0), months)
    return found


def normal_share(values: Array) -> Array:
    """Share of a normal number that is below. Zelen and Severo, 26.2.17 of Abramowitz and Stegun.

    Its error is below 7.5e-8, far within what a month's default rate is known to.
    """
    size = np.abs(values)
    t = 1.0 / (1.0 + 0.2316419 * size)
    terms = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)
    whole = np.zeros_like(values)
    for term in reversed(terms):
        whole = (whole + term) * t
    above = np.exp(-0.5 * size**2) / math.sqrt(2.0 * math.pi) * whole
    return np.where(values > 0, 1.0 - above, above)


def delays(p: Processes, inputs: Inputs, moves: Array, chance: Chance) -> Mapping[str, Months]:
    """Months by which each asset comes late; none comes early.

    A build takes a lognormal time; of an asset that is nearly there only what is left counts. Its
    own part and one that all assets share make it, and the shared one follows the first year.
    """
    waiting = [asset for asset in inputs.assets if not asset.standing]
    year = moves[:12]
    shared = year.sum(axis=0) / math.sqrt(len(year))
    found = {}
    for asset in waiting:
        own = chance.standard_normal((moves.shape[1],))
        score = math.sqrt(p.build_shared) * shared + math.sqrt(1.0 - p.build_shared) * own
        longer = p.build_median * np.expm1(p.build_spread * score)
        left = min(1.0, max(asset.in_service, 0) / p.build_median)
        found[asset.key] = np.rint(np.maximum(longer * left, 0.0)).astype(np.int64)
    return found


def _alive(
    contracts: Sequence[Contract], gone: Mapping[str, Months], months: int
) -> dict[str, tuple[Array, ...]]:
    """What defaults leave of contracts, where there are any."""
    when = np.arange(months)[:, None]
    return {
        contract.key: tuple((when < gone[contract.customer]).astype(float))
        for contract in contracts
        if (gone[contract.customer] < months).any()
    }


def _let_again(
    p: Processes, contracts: Sequence[Contract], gone: Mapping[str, Months], months: int
) -> dict[str, tuple[Array, ...]]:
    """What of the rest is let again, once the gap is over."""
    when = np.arange(months)[:, None]
    return {
        contract.key: tuple(
            (when >= gone[contract.customer] + p.gap_months).astype(float) * p.let_again
        )
        for contract in contracts
        if (gone[contract.customer] < months).any()
    }


def _lost_share(inputs: Inputs, gone: Mapping[str, Months], months: int, paths: int) -> Array:
    """Share of contracts' whole value whose customer is gone, by month."""
    lost = np.zeros((months, paths))
    when = np.arange(months)[:, None]
    whole = sum(float(c.weight) * sum(c.earned) for c in inputs.contracts) or 1.0
    for contract in inputs.contracts:
        value = float(contract.weight) * sum(contract.earned) / whole
        lost = lost + value * (when >= gone[contract.customer])
    return lost


def _quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)
