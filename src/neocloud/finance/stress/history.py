"""What an hour of an H100 cost, and the two regimes fitted to it.

A regime pulls the logarithm of the price by the same drift each month, while the price reverts to
its long-run level: dx = drift - k x. From a level x0 that gives after T months

    x(T) = x0 exp(-k T) + drift / k (1 - exp(-k T)),

which is solved for the drift of each regime between two quotes. The long-run level is the geometric
mean of the first two: the middle of the fall that was seen whole.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

FALL_FROM: Final = 2.85
"""USD an hour of an H100, 2024-03, marketplace after the first wave of capacity (Latent Space)."""
FALL_TO: Final = 1.70
"""2025-10, trough of one-year contracts (SemiAnalysis, 2026-04-02)."""
RISE_TO: Final = 2.35
"""2026-03, one-year contracts (SemiAnalysis, 2026-04-02)."""
FALL_MONTHS: Final = 19
"""2024-03 to 2025-10."""
RISE_MONTHS: Final = 5
"""2025-10 to 2026-03."""
SUDDEN: Final = 0.70
"""2024-10: what was left of on-demand prices after a fall within two months (SemiAnalysis)."""
WATCHED_MONTHS: Final = 39
"""2023-06 to 2026-09, the whole history, in which one such fall is known."""


class Regimes(msgspec.Struct, frozen=True, kw_only=True):
    """Two regimes of a price that reverts.

    Attributes:
        reversion: k, a month.
        falling: drift of the logarithm a month while it falls; negative.
        rising: the same while it rises.
        falling_months: mean length of a fall.
        rising_months: mean length of a rise: as long as leaves no drift in the long run.
        jump: size of a sudden move, of the logarithm.
        jumps_a_month: chance of one.
    """

    reversion: float
    falling: float
    rising: float
    falling_months: float
    rising_months: float
    jump: float
    jumps_a_month: float


def drift_between(start: float, end: float, months: float, reversion: float) -> float:
    """Drift that leads from one distance to the long-run level to another."""
    left = math.exp(-reversion * months)
    return reversion * (end - start * left) / (1.0 - left)


def fitted(half_life_months: float) -> Regimes:
    """Regimes through the quotes above.

    Args:
        half_life_months: months in which half of a distance to the long-run level is gone.
    """
    reversion = math.log(2.0) / half_life_months
    level = math.sqrt(FALL_FROM * FALL_TO)
    top, trough, risen = (math.log(price / level) for price in (FALL_FROM, FALL_TO, RISE_TO))
    falling = drift_between(top, trough, FALL_MONTHS, reversion)
    rising = drift_between(trough, risen, RISE_MONTHS, reversion)
    return Regimes(
        reversion=reversion,
        falling=falling,
        rising=rising,
        falling_months=FALL_MONTHS,
        rising_months=-FALL_MONTHS * falling / rising,
        jump=-math.log(SUDDEN),
        jumps_a_month=1.0 / WATCHED_MONTHS,
    )
