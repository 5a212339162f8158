"""Where quantities become money: exact until here, one rounding to a pico-unit, split without rest.

Energy and hours are floats while they are measured; where groups could matter they are summed as
fractions. What they cost is their exact value times an exact price, a fraction; it is rounded once,
half to even, to 1e-12 of the currency when it enters the books, and only there. After that only
whole numbers are added and shared out.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from neocloud.units import PICO


def stated(value: float | Decimal) -> Fraction:
    """A number of the cloud file or the catalog as it is written there: 0.97 is 97/100."""
    return Fraction(str(value))


def to_pico(amount: Fraction) -> int:
    """The one rounding: an amount of the currency to whole pico-units, half to even."""
    return round(amount * PICO)


def from_pico(pico: int) -> Decimal:
    """An amount in the currency, exact, with 12 decimals; zero is 0."""
    if not pico:
        return Decimal(0)
    sign, digits, _ = Decimal(pico).as_tuple()
    return Decimal((sign, digits, -12))


def shared_out(total: int, weights: Sequence[float]) -> list[int]:
    """Split a whole number in the proportion of weights, without rest.

    Each part is its exact share rounded down; what is left goes, one each, to those that lost most,
    of equals to the first. A part of weight 0 is 0, unless all are: then all count alike.

    Args:
        total: what to split; may be negative.
        weights: at least one; none negative.
    """
    if total < 0:
        return [-part for part in shared_out(-total, weights)]
    assert min(weights) >= 0.0, "nobody bears less than nothing"
    # Floats are whole numbers of one power of two, so that shares are exact.
    exact = (
        [Fraction(weight) for weight in weights] if any(weights) else [Fraction(1)] * len(weights)
    )
    finest = max(weight.denominator for weight in exact)
    scaled = [weight.numerator * (finest // weight.denominator) for weight in exact]
    whole = sum(scaled)
    parts = [total * weight // whole for weight in scaled]
    lost = [total * weight % whole for weight in scaled]
    order = sorted(range(len(parts)), key=lambda i: -lost[i])
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts
