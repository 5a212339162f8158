"""What chance does: a common factor, and what follows it.

Each month has a common innovation, good where it is above 0. Each factor's own innovation is

    loading * common + sqrt(1 - loading^2) * own,

so that two factors correlate by the product of their loadings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from neocloud.finance.arithmetic import Array
from neocloud.finance.stress.customers import GAP, LET_AGAIN
from neocloud.finance.stress.history import Regimes, fitted
from neocloud.finance.stress.records import Parameter

FACTORS: Final = ("rental", "token", "utilisation", "credit", "rates", "build")
"""In the order of loadings; `credit` is the worth of customers, `build` the time to commission."""

DEFAULT_RATES: Final = {
    "AAA": 0.0, "AA": 0.0002, "A": 0.0008, "BBB": 0.0026, "BB": 0.0097, "B": 0.0493, "CCC": 0.2798,
    "unrated": 0.0493,
}  # fmt: skip
"""Chance of default within a year by class of credit. Standard & Poor's, annual global corporate
default study of 2009, average one-year rates of 1981 to 2009, two recessions' peaks included.
`unrated` is an assumption: as B, the class of most young companies that borrow."""

_HALF_LIFE = 24.0
_SHORT_TIME = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """All numbers of chance. What a month moves is a standard deviation a month.

    Attributes:
        regimes: of the rental price.
        rental_noise: of the logarithm of the rental price, beside regimes and jumps.
        token_noise: of the logarithm of the token price.
        token_half_life: months in which half of its distance to the base case is gone.
        use_noise: of the logit of utilisation.
        use_half_life: months.
        rate_noise: of base rates.
        rate_half_life: months.
        credit_half_life: months in which half of a good or bad time of customers is gone.
        default_rates: yearly, by class of credit.
        gap_months: until what a customer left behind is let again.
        let_again: share of it.
        build_median: months from order to service.
        build_spread: standard deviation of their logarithm.
        build_shared: correlation between two assets' delays.
        loadings: on the common factor, by factor.
    """

    regimes: Regimes
    rental_noise: float
    token_noise: float
    token_half_life: float
    use_noise: float
    use_half_life: float
    rate_noise: float
    rate_half_life: float
    credit_half_life: float
    default_rates: dict[str, float]
    gap_months: int
    let_again: float
    build_median: float
    build_spread: float
    build_shared: float
    loadings: dict[str, float]

    def correlations(self) -> Array:
        """Of the innovations, in the order of `FACTORS`."""
        loads = np.array([self.loadings[factor] for factor in FACTORS])
        matrix: Array = np.outer(loads, loads)
        np.fill_diagonal(matrix, 1.0)
        return matrix


STANDARD: Final = Processes(
    regimes=fitted(_HALF_LIFE),
    rental_noise=0.04,
    token_noise=0.08,
    token_half_life=_SHORT_TIME,
    use_noise=0.15,
    use_half_life=_SHORT_TIME,
    rate_noise=0.01 / math.sqrt(12.0),
    rate_half_life=60.0,
    credit_half_life=_HALF_LIFE,
    default_rates=DEFAULT_RATES,
    gap_months=GAP,
    let_again=float(LET_AGAIN),
    build_median=math.sqrt(12.0 * 18.0),
    build_spread=math.log(18.0 / 12.0) / 2.0,
    build_shared=0.5,
    loadings={
        "rental": 0.7, "token": 0.5, "utilisation": 0.6, "credit": math.sqrt(0.2), "rates": 0.2,
        "build": 0.3,
    },
)  # fmt: skip
"""What runs unless told otherwise. Sources: `parameters_of`."""


def quiet(like: Processes = STANDARD) -> Processes:
    """The same on whose paths nothing happens: the base case, through all that chance does."""
    still = Regimes(
        reversion=like.regimes.reversion, falling=0.0, rising=0.0, jump=0.0,
        falling_months=like.regimes.falling_months, rising_months=like.regimes.rising_months,
        jumps_a_month=0.0,
    )  # fmt: skip
    return Processes(
        regimes=still,
        rental_noise=0.0,
        token_noise=0.0,
        token_half_life=like.token_half_life,
        use_noise=0.0,
        use_half_life=like.use_half_life,
        rate_noise=0.0,
        rate_half_life=like.rate_half_life,
        credit_half_life=like.credit_half_life,
        default_rates=dict.fromkeys(like.default_rates, 0.0),
        gap_months=like.gap_months,
        let_again=like.let_again,
        build_median=like.build_median,
        build_spread=0.0,
        build_shared=like.build_shared,
        loadings=like.loadings,
    )


def parameters_of(p: Processes) -> tuple[Parameter, ...]:
    """Every number with its source."""
    regimes = p.regimes
    found = [
        ("rental: drift while it falls", regimes.falling, "log/month",
         "fitted: H100 2.85 to 1.70 USD/h, 2024-03 to 2025-10"),
        ("rental: drift while it rises", regimes.rising, "log/month",
         "fitted: H100 1.70 to 2.35 USD/h, 2025-10 to 2026-03"),
        ("rental: a fall lasts", regimes.falling_months, "months", "2024-03 to 2025-10"),
        ("rental: a rise lasts", regimes.rising_months, "months",
         "derived: no drift in the long run; 5 months were seen, 11 with list prices"),
        ("rental: reversion", regimes.reversion, "1/month", "assumption: half-life of 24 months"),
        ("rental: sudden move", regimes.jump, "log",
         "2024-10: on-demand prices fell by 30 % within two months; as likely up as down"),
        ("rental: sudden moves", regimes.jumps_a_month, "1/month", "one is known in 39 months"),
        ("rental: noise", p.rental_noise, "log/month", "assumption"),
        ("token: noise", p.token_noise, "log/month", "assumption"),
        ("token: half-life", p.token_half_life, "months", "assumption"),
        ("utilisation: noise", p.use_noise, "logit/month", "assumption"),
        ("utilisation: half-life", p.use_half_life, "months", "assumption"),
        ("rates: noise", p.rate_noise, "1/year/month", "assumption: 100 basis points a year"),
        ("rates: half-life", p.rate_half_life, "months", "assumption"),
        ("credit: half-life of good and bad times", p.credit_half_life, "months", "assumption"),
        *((f"default: {credit}", rate, "1/year",
           "assumption: as B" if credit == "unrated"
           else "Standard & Poor's, global corporates, average of 1981 to 2009")
          for credit, rate in p.default_rates.items()),
        ("default: let again after", p.gap_months, "months", "assumption"),
        ("default: share let again", p.let_again, "share", "assumption"),
        ("build: months from order to service", p.build_median, "months",
         "middle of 12 to 18 months, geometric"),
        ("build: spread", p.build_spread, "log", "two thirds of builds within 12 to 18 months"),
        ("build: correlation of two assets", p.build_shared, "", "assumption"),
        *((f"loading: {factor}", loading, "",
           "correlation of two companies' worth 0.2, within 0.12 to 0.24 of Basel II"
           if factor == "credit" else "assumption")
          for factor, loading in p.loadings.items()),
    ]  # fmt: skip
    return tuple(
        Parameter(name=name, value=float(value), unit=unit, source=source)
        for name, value, unit, source in found
    )
