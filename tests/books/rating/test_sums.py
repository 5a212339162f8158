"""Rating by sums is rating event by event, whatever the order and the pieces."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.books.metering import START_NS, event
from tests.books.priced import PLAIN, book

from neocloud.books.prices import Meter, PriceBook
from neocloud.books.rating import Tally, UnpricedModelError, rate, total_pico
from neocloud.books.rating import tally as tally_module
from neocloud.ledger import Status
from neocloud.units import HOUR_NS

from .plainly import plainly

RICH = """\
pricing:
  billed: [completed, aborted, interrupted]
  adjustments:
    - {name: off-peak, change: -0.3, hours_utc: [22-6, 12-13]}
    - {name: batch, change: -0.5, apis: batch}
    - {name: by-key, change: -0.25, keys: [batch-key]}
    - {name: flex, change: -0.4, service_tiers: flex}
    - {name: rhein, change: 0.25, tenants: rhein, from: 2026-10-20}
    - {name: old, change: 0.0333, pools: ashburn/h100-sxm, until: 2026-10-06}
"""
TIERS = (
    "tiering: {}, tiers: [{{above_mtok: 0.001, input: 0.2, cached_input: 0.031, output: 0.4}}, "
    "{{above_mtok: 0.0025, input: 0.1, output: 0.3{}}}]"
)
FIRST = book(
    f"{{input: 0.26, output: 0.55, {TIERS.format('graduated', '')}, "
    f"changes: [{{from: 2026-10-20, input: 0.25, output: 0.5, "
    f"{TIERS.format('volume', ', reasoning: 0.7')}}}]}}",
    RICH,
).current
LATER = book(
    f"{{input: 0.3, output: 0.6, {TIERS.format('graduated', ', reasoning: 0.2')}}}"
).current
BOOK = PriceBook(current=LATER, kept={FIRST.id: FIRST})

_events = st.builds(
    lambda n, hour, tenant, status, api, tokens, cached, out, reasoning, stamp: event(
        n, tenant=tenant, status=status, api=api, input_tokens=tokens,
        cached_tokens=min(cached, tokens), output_tokens=out, reasoning_tokens=min(reasoning, out),
        admitted_ns=START_NS + hour * HOUR_NS, price_version=stamp, emulated=False,
        pool=("h100-sxm", "other")[n % 2], key_id=("k", "batch-key")[n % 3 == 0],
        service_tier=("default", "flex", "unknown")[n % 5 % 3],
    ),
    st.integers(0, 10**6), st.integers(0, 24 * 40), st.sampled_from(["acme", "rhein"]),
    st.sampled_from(Status), st.sampled_from(["chat", "batch"]), st.integers(0, 3000),
    st.integers(0, 3000), st.integers(0, 2000), st.integers(0, 2000),
    st.sampled_from(["", FIRST.id, LATER.id, "lost"]),
)  # fmt: skip


def pico_by(lines):
    found = Counter()
    for line in lines:
        found[line.tenant, line.model] += line.pico
    return found


@given(st.lists(_events, max_size=40))
def test_rated_sums_are_those_of_a_slow_and_plain_rating(events):
    rated = rate(BOOK, iter(events))
    assert pico_by(rated.lines) == Counter(plainly(BOOK, events))
    for line in rated.lines:
        assert line.quantity > 0
        assert line.pico == line.quantity * line.unit_pico


@given(st.lists(_events, max_size=40), st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_and_pieces_change_nothing(events, chance, pieces):
    whole = rate(BOOK, iter(events))
    shuffled = events[:]
    chance.shuffle(shuffled)
    parts = [Tally(BOOK) for _ in range(pieces)]
    for e in shuffled:
        chance.choice(parts).add([e])
    first, *others = parts
    for other in others:
        first.merge(other)
    assert first.rated() == whole
    assert first.rated() == whole, "asking twice changes nothing"


@given(st.lists(_events, max_size=40))
def test_every_token_and_request_is_on_some_line(events):
    rated = rate(BOOK, iter(events))
    assert sum(line.quantity for line in rated.lines) == sum(
        e.input_tokens + e.output_tokens for e in events
    )
    assert sum(count.requests for count in rated.requests) == len(events)
    assert sum(count.repriced for count in rated.requests) == sum(
        e.price_version == "lost" for e in events
    )
    assert sum(count.unbilled for count in rated.requests) == sum(
        e.status is Status.FAILED
        or (e.status is Status.INTERRUPTED and e.price_version != FIRST.id)
        for e in events
    )
    for status in Status:
        tokens = sum(e.input_tokens + e.output_tokens for e in events if e.status is status)
        assert sum(x.quantity for x in rated.lines if x.status == status.value) == tokens
    keys = [line.key for line in rated.lines]
    assert len(set(keys)) == len(keys)


@settings(max_examples=10)
@given(st.lists(_events, min_size=10, max_size=40))
def test_folding_in_between_changes_nothing(events):
    whole = rate(BOOK, iter(events))
    kept = tally_module._MOST_GROUPS
    tally_module._MOST_GROUPS = 2
    try:
        assert rate(BOOK, iter(events)) == whole
    finally:
        tally_module._MOST_GROUPS = kept


def test_memory_is_for_prices_not_for_events(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tally_module, "_MOST_GROUPS", 500)

    def peak(count: int) -> int:
        chance = random.Random(1)
        tracemalloc.start()
        rated = rate(
            BOOK,
            (
                event(n, admitted_ns=START_NS + chance.randrange(200) * HOUR_NS, price_version="x")
                for n in range(count)
            ),
        )
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(c.requests for c in rated.requests) == count
        return high

    peak(1000)
    assert peak(16_000) < 1.5 * peak(4000)


def test_a_model_without_a_price_is_refused_with_tenant_and_time():
    with pytest.raises(UnpricedModelError, match="acme used model other on 2026-10-05T13:00:00Z"):
        rate(BOOK, [event(model="other")])


def test_a_meter_never_runs_backwards():
    # Of a ledger that was not written by us: more cached than read, more thought than written.
    rated = rate(
        BOOK, [event(input_tokens=5, cached_tokens=9, output_tokens=3, reasoning_tokens=7)]
    )
    assert {(line.meter, line.quantity) for line in rated.lines} == {
        (Meter.CACHED_INPUT, 5), (Meter.REASONING, 3),
    }  # fmt: skip


def test_emulated_use_is_on_lines_of_its_own_and_fills_no_tier_of_real_use():
    events = [
        event(n, input_tokens=0, output_tokens=1000, emulated=bool(n), price_version=FIRST.id)
        for n in (0, 1)
    ]
    rated = rate(BOOK, events)
    assert [(line.emulated, line.tier, line.quantity) for line in rated.lines] == [
        (False, 0, 1000), (True, 0, 1000),
    ]  # fmt: skip


def test_a_tenants_part_is_its_lines_and_counts():
    rated = rate(BOOK, [event(0), event(1, tenant="rhein"), event(2)])
    mine = rated.of("acme")
    assert {line.tenant for line in mine.lines} == {"acme"}
    assert [count.requests for count in mine.requests] == [2]
    both = total_pico(mine.lines)["USD"] + total_pico(rated.of("rhein").lines)["USD"]
    assert both == total_pico(rated.lines)["USD"]


def test_a_line_survives_json():
    for line in rate(BOOK, [event(0, price_version=FIRST.id)]).lines:
        assert msgspec.json.decode(msgspec.json.encode(line), type=type(line)) == line


def test_twenty_tokens_at_a_cent_a_million_are_not_lost():
    cheap = book(PLAIN.replace("0.26", "0.01"))
    (line,) = rate(cheap, [event(input_tokens=20, output_tokens=0)]).lines
    assert (line.quantity, line.pico) == (20, 200_000)
    (many,) = rate(cheap, (event(n, input_tokens=20, output_tokens=0) for n in range(5000))).lines
    assert many.pico == 10**9, "0.001 dollars"
