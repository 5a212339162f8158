"""A site's meter, shared out among those who drew: the lines sum up to what it told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.activity import Purpose, total
from neocloud.ledger import AllocationEvent, EnergyEvent, metered_activity, shared_energy
from neocloud.units import HOUR_NS, Period, parse_utc

START = parse_utc("2026-10-05T13:00:00Z")
MINUTE = 60_000_000_000
DAY = Period(START, START + 24 * HOUR_NS)


def modelled(
    holder: str, start: int, end: int, kwh: float, *, emulated: bool = False, site: str = "a",
    purpose: str = "inference", tenant: str = "",
) -> EnergyEvent:  # fmt: skip
    """Times in minutes from the start."""
    return EnergyEvent(
        event_id=f"{holder}@{start}", start_ns=START + start * MINUTE, end_ns=START + end * MINUTE,
        site=site, pool="p", model="m", holder=holder, kwh=kwh, modelled=True, emulated=emulated,
        purpose=purpose, tenant=tenant,
    )  # fmt: skip


def metered(start: int, end: int, kwh: float, site: str = "a") -> EnergyEvent:
    return EnergyEvent(
        event_id=f"{site}/meter@{end}", start_ns=START + start * MINUTE,
        end_ns=START + end * MINUTE, site=site, pool="", model="", holder="", kwh=kwh,
        modelled=False, emulated=False,
    )  # fmt: skip


def test_without_a_meter_all_is_as_modelled() -> None:
    (share,) = shared_energy([modelled("x", 0, 10, 3.0)], DAY)
    assert (share.kwh, share.modelled) == (3.0, True)


def test_holders_share_what_the_meter_told_as_they_are_modelled() -> None:
    events = [
        modelled("x", 0, 10, 3.0, purpose="training", tenant="acme"),
        modelled("y", 0, 10, 1.0),
        metered(0, 10, 8.0),
    ]
    found = {(s.purpose, s.tenant): s for s in shared_energy(events, DAY)}
    assert found["training", "acme"].kwh == pytest.approx(6.0)
    assert found["inference", ""].kwh == pytest.approx(2.0)
    assert not any(share.modelled for share in found.values())


def test_what_was_drawn_while_nobody_was_known_to_stands_on_its_own() -> None:
    """A meter that reads by the hour, and a gateway that ran for its last quarter."""
    events = [modelled("x", 45, 60, 1.0), metered(0, 60, 8.0)]
    mine, rest = shared_energy(events, DAY)
    assert (mine.pool, mine.kwh) == ("p", pytest.approx(2.0))
    assert (rest.pool, rest.model, rest.kwh) == ("", "", pytest.approx(6.0))
    assert rest.purpose == Purpose.IDLE
    assert not rest.modelled


def test_what_the_meter_did_not_see_stays_modelled() -> None:
    """A span that begins before the meter does, and one after it broke."""
    events = [modelled("x", 0, 30, 3.0), metered(10, 20, 5.0)]
    shares = list(shared_energy(events, DAY))
    assert sum(s.kwh for s in shares if s.modelled) == pytest.approx(2.0)
    assert sum(s.kwh for s in shares if not s.modelled) == pytest.approx(5.0)


def test_emulated_engines_draw_nothing_from_a_meter() -> None:
    events = [
        modelled("x", 0, 10, 3.0, emulated=True), modelled("y", 0, 10, 0.5), metered(0, 10, 4.0),
    ]  # fmt: skip
    emulated, real = sorted(shared_energy(events, DAY), key=lambda s: not s.emulated)
    assert (emulated.kwh, emulated.modelled) == (3.0, True)
    assert (real.kwh, real.modelled) == (pytest.approx(4.0), False)


def test_another_site_keeps_its_own() -> None:
    events = [modelled("x", 0, 10, 3.0, site="b"), modelled("y", 0, 10, 1.0), metered(0, 10, 4.0)]
    shares = {share.site: share for share in shared_energy(events, DAY)}
    assert (shares["b"].kwh, shares["b"].modelled) == (3.0, True)
    assert shares["a"].kwh == pytest.approx(4.0)


def test_a_line_that_came_late_counts_too() -> None:
    """The line of 12:10 was read after that of 12:20: their spans overlap, and both were drawn."""
    events = [modelled("x", 0, 20, 1.0), metered(0, 20, 5.0), metered(0, 10, 3.0)]
    assert sum(s.kwh for s in shared_energy(events, DAY)) == pytest.approx(8.0)


spans = st.tuples(st.integers(0, 180), st.integers(1, 90), st.floats(0.0, 50.0))


@given(
    st.lists(st.tuples(spans, st.booleans()), max_size=8),
    st.lists(spans, max_size=6),
    st.tuples(st.integers(0, 200), st.integers(1, 200)),
)
def test_lines_sum_up_to_the_meter(
    holders: list[tuple[tuple[int, int, float], bool]],
    readings: list[tuple[int, int, float]],
    window: tuple[int, int],
) -> None:
    """Whatever overlaps what, within whatever period; and emulated energy is left alone."""
    period = Period(START + window[0] * MINUTE, START + sum(window) * MINUTE)
    events = [
        modelled(f"h{i}", start, start + length, kwh, emulated=emulated)
        for i, ((start, length, kwh), emulated) in enumerate(holders)
    ]
    read = [metered(start, start + length, kwh) for start, length, kwh in readings]
    shares = list(shared_energy([*events, *read], period))

    def within(found: list[EnergyEvent]) -> float:
        return math.fsum(
            e.kwh
            * max(0, min(e.end_ns, period.end_ns) - max(e.start_ns, period.start_ns))
            / (e.end_ns - e.start_ns)
            for e in found
        )

    by_meter = math.fsum(s.kwh for s in shares if not s.modelled)
    assert by_meter == pytest.approx(within(read), rel=1e-9, abs=1e-9)
    emulated_kwh = math.fsum(s.kwh for s in shares if s.emulated)
    assert emulated_kwh == pytest.approx(within([e for e in events if e.emulated]), abs=1e-9)
    assert all(s.hour_utc in period or s.hour_utc < period.start_ns for s in shares)
    if not readings:
        assert math.fsum(s.kwh for s in shares) == pytest.approx(within(events), abs=1e-9)


def test_hours_of_activity_hold_all_three_and_no_more() -> None:
    """Accelerator-seconds by purpose are those held, and energy is the meter's."""
    holders = (
        ("replica", "inference", 6.0, 4),
        ("job", "training", 3.0, 3),
        ("rest", "idle", 1, 1),
    )
    allocation = [
        AllocationEvent(
            event_id=f"{holder}@0", start_ns=START + 30 * MINUTE, end_ns=START + 90 * MINUTE,
            site="a", pool="p", model="m" if purpose == "inference" else "", tenant="",
            holder=holder, accelerator="h", accelerators=number, purpose=purpose, busy_s=None,
            emulated=False,
        )
        for holder, purpose, _, number in holders
    ]  # fmt: skip
    energy = [modelled(h, 30, 90, kwh, purpose=purpose) for h, purpose, kwh, _ in holders]
    readings = [metered(30 + 10 * i, 40 + 10 * i, 2.0 + i) for i in range(6)]
    rows = metered_activity([], allocation, [*energy, *readings], DAY, lambda _: True)
    sums = total(rows)
    assert sums.allocated_accelerator_s == pytest.approx(8 * 3600)
    assert sums.energy_kwh == pytest.approx(sum(e.kwh for e in readings))
    training = total(row for row in rows if row.purpose is Purpose.TRAINING)
    assert training.energy_kwh == pytest.approx(0.3 * sums.energy_kwh)
    assert {row.hour_utc for row in rows} == {START, START + HOUR_NS}
