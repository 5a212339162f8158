"""Whether one cloud beats another, in a sentence made of the figures alone."""

from __future__ import annotations

from neocloud.planner.comparison import EqualCost, Pair
from neocloud.planner.figures import ALIKE, less


def verdict(first: str, second: str, currency: str, pair: Pair, equal: EqualCost) -> str:
    """Whether the first beats the second, and by what.

    It does where it costs no more at equal objectives, is no slower at equal cost (or as near to it
    as came), in its mean time to the first token and of a whole answer, and is better in one of the
    three; `in part` is for being better in some and worse in others. Costs that the proven gaps
    cannot tell apart, and latencies within 1 per cent, count as alike.
    """
    better = [_cost_sign(pair), *_latency_signs(equal.pair)]
    if max(better) > 0:
        word = "in part" if min(better) < 0 else "yes"
    else:
        word = "no" if min(better) < 0 else "neither beats the other"
    return (
        f"Does {first} beat {second}? {word.capitalize()}: at equal objectives it "
        f"{_cost(pair, currency)} and {_times(pair)}; {_at_equal_cost(first, equal)}."
    )


def _cost_sign(pair: Pair) -> int:
    """1 where the first is proven to cost less, -1 where it is proven to cost more, else 0."""
    one, other = pair.first, pair.second
    dear, cheap = (one, other) if one.total_per_hour > other.total_per_hour else (other, one)
    if dear.total_per_hour * (1.0 - dear.gap) <= cheap.total_per_hour:
        return 0
    return -1 if dear is one else 1


def _latency_signs(pair: Pair) -> list[int]:
    one, other = pair.first.latency, pair.second.latency
    return [
        less(one.ttft_ms, other.ttft_ms, ALIKE),
        less(one.answer_ms, other.answer_ms, ALIKE),
    ]


def _more(one: float, other: float) -> str:
    share = one / other - 1.0
    return f"{abs(share):.1%} {'more' if share > 0 else 'less'}"


def _cost(pair: Pair, currency: str) -> str:
    one, other = pair.first.total_per_hour, pair.second.total_per_hour
    against = f"{_money(one)} against {_money(other)} {currency} an hour"
    if _cost_sign(pair) == 0:
        proven = "" if one == other else ", a difference below the proven gaps"
        return f"costs as much ({against}{proven})"
    return f"costs {_more(one, other)} ({against})"


def _money(value: float) -> str:
    return f"{value:,.0f}" if value >= 1e4 else f"{value:.5g}"


def _times(pair: Pair) -> str:
    one, other = pair.first.latency, pair.second.latency
    return (
        f"gives the first token after {_duration(one.ttft_ms)} on average against "
        f"{_duration(other.ttft_ms)} and the whole answer after {_duration(one.answer_ms)} against "
        f"{_duration(other.answer_ms)}"
    )


def _duration(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 1e3 else f"{ms / 1e3:.3g} s"


def _at_equal_cost(first: str, equal: EqualCost) -> str:
    if equal.loosened is None:
        return "costs being alike, that holds at equal cost too"
    whose = "its own" if equal.loosened == first else f"{equal.loosened}'s"
    if equal.reached:
        return (
            f"at equal cost, {whose} objectives loosened {equal.factor:.3g} times, it "
            f"{_times(equal.pair)}"
        )
    if equal.factor == 1.0:
        return (
            f"equal cost is out of reach, since loosening {whose} objectives up to "
            f"{equal.max_factor:g} times saves nothing"
        )
    dear = equal.loosened
    mine, theirs = equal.pair.first.total_per_hour, equal.pair.second.total_per_hour
    left = _more(mine, theirs) if dear == first else _more(theirs, mine)
    return (
        f"equal cost is out of reach, since with {whose} objectives loosened up to "
        f"{equal.max_factor:g} times {'it' if dear == first else dear} still costs {left}, and at "
        f"{equal.factor:.3g} times {first} {_times(equal.pair)}"
    )
