"""Nobody starves, nothing is lost: the queue beside a plain list, and its fairness."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from neocloud.routing import FairQueue, Priority
from neocloud.routing.fair_queue import OWED

NEVER = math.inf
HIGH, NORMAL, LOW = Priority


def queue(weights: dict[str, float] | None = None) -> FairQueue[str]:
    return FairQueue(1000, 1000, weights)


def fill(waiting: FairQueue[str], tenant: str, number: int, tokens=1.0, priority=NORMAL) -> None:
    for i in range(number):
        assert waiting.push(f"{tenant}{priority}{i}", tenant, priority, tokens, NEVER)


def served(waiting: FairQueue[str], number: int, at: int = 0) -> str:
    return "".join((waiting.pop(0.0) or "-")[at] for _ in range(number))


def test_a_tenants_requests_keep_their_order():
    waiting = queue()
    fill(waiting, "a", 5)
    assert [waiting.pop(0.0) for _ in range(6)] == [f"a1{i}" for i in range(5)] + [None]


def test_tenants_take_turns_however_many_they_send():
    waiting = queue()
    fill(waiting, "a", 100)
    fill(waiting, "b", 3)
    assert served(waiting, 8) == "abababaa"


def test_turns_go_by_tokens():
    waiting = queue()
    fill(waiting, "a", 20, tokens=300.0)
    fill(waiting, "b", 20, tokens=100.0)
    assert Counter(served(waiting, 20)) == {"a": 5, "b": 15}


def test_turns_go_by_weight():
    waiting = queue({"a": 3.0})
    fill(waiting, "a", 20)
    fill(waiting, "b", 20)
    assert Counter(served(waiting, 20)) == {"a": 15, "b": 5}


def test_who_was_away_saved_nothing_up():
    waiting = queue()
    fill(waiting, "a", 100)
    served(waiting, 50)
    fill(waiting, "b", 50)
    assert Counter(served(waiting, 20)) == {"a": 10, "b": 10}


def test_who_comes_back_saved_nothing_up():
    waiting = queue()
    fill(waiting, "a", 100)
    fill(waiting, "b", 1)
    served(waiting, 50)
    assert waiting.waiting_of("b") == 0
    for i in range(30):
        waiting.push(f"b-{i}", "b", NORMAL, 1.0, NEVER)
    assert Counter(served(waiting, 20)) == {"a": 10, "b": 10}


def test_who_comes_again_and_again_is_not_first_each_time():
    waiting = queue()
    fill(waiting, "a", 100)
    got = Counter()
    for i in range(40):
        waiting.push(f"b-{i}", "b", NORMAL, 10.0, NEVER)  # each ten times as large
        got[(waiting.pop(0.0) or "-")[0]] += 1
    assert got["b"] <= 5


def test_tokens_that_were_guessed_too_low_are_charged_later():
    waiting = queue()
    fill(waiting, "a", 50)
    fill(waiting, "b", 50)
    got = Counter()
    for _ in range(36):
        item = waiting.pop(0.0)
        assert item is not None
        got[item[0]] += 1
        if item[0] == "a":
            waiting.correct("a", NORMAL, 4.0)  # five each, not one
    assert got == {"a": 6, "b": 30}
    waiting.correct("nobody", NORMAL, 4.0)


def test_tokens_that_were_guessed_too_high_are_given_back():
    waiting = queue()
    fill(waiting, "a", 30, tokens=10.0)
    fill(waiting, "b", 30, tokens=10.0)
    got = Counter()
    for _ in range(22):
        item = waiting.pop(0.0)
        assert item is not None
        got[item[0]] += 1
        if item[0] == "a":
            waiting.correct("a", NORMAL, -9.0)
    assert got["b"] <= 3


# priorities


def test_the_higher_goes_first_and_the_lower_gets_its_stated_share():
    waiting = queue()
    fill(waiting, "h", 300, priority=HIGH)
    fill(waiting, "n", 300, priority=NORMAL)
    fill(waiting, "l", 300, priority=LOW)
    got = Counter(served(waiting, 300))
    # To within one request and what one more of the higher would have added.
    assert got["n"] == pytest.approx(OWED[NORMAL] * got["h"], abs=1.2)
    assert got["l"] == pytest.approx(OWED[LOW] * (got["h"] + got["n"]), abs=1.2)


def test_alone_the_lower_gets_all():
    waiting = queue()
    fill(waiting, "l", 10, priority=LOW)
    assert served(waiting, 10) == "l" * 10


def test_what_is_owed_is_no_more_than_one_request():
    """A low one that fitted nowhere for long does not come in a burst afterwards."""
    waiting = queue()
    fill(waiting, "h", 300, priority=HIGH)
    fill(waiting, "l", 100, priority=LOW)
    for _ in range(200):
        assert (waiting.pop(0.0, lambda item: item[0] == "h") or "-")[0] == "h"
    assert served(waiting, 10) == "l" + "h" * 9


# bounds, deadlines, places


def test_the_queue_is_bounded_in_all_and_for_each_tenant():
    waiting: FairQueue[int] = FairQueue(5, 3)
    assert [waiting.push(i, "a", HIGH, 1.0, NEVER) for i in range(2)] == [True] * 2
    assert [waiting.push(i, "a", LOW, 1.0, NEVER) for i in range(2, 4)] == [True, False]
    assert [waiting.push(i, "b", LOW, 1.0, NEVER) for i in range(4, 7)] == [True, True, False]
    assert (len(waiting), waiting.waiting_of("a"), waiting.waiting_of("b")) == (5, 3, 2)
    assert [waiting.waiting(p) for p in Priority] == [2, 0, 3]
    waiting.pop(0.0)
    assert waiting.push(7, "a", LOW, 1.0, NEVER)


def test_what_is_past_its_deadline_is_handed_back_and_not_served():
    waiting = queue()
    waiting.push("a0", "a", NORMAL, 1.0, 5.0)
    waiting.push("a1", "a", NORMAL, 1.0, 9.0)
    waiting.push("b0", "b", NORMAL, 1.0, 3.0)
    assert waiting.next_deadline_s() == 3.0
    assert waiting.pop(5.0) == "a1"
    assert waiting.pop(5.0) is None
    assert waiting.expired(2.0) == []
    assert waiting.expired(5.0) == ["b0", "a0"]
    assert waiting.next_deadline_s() is None
    assert len(waiting) == 0


def test_one_that_fits_nowhere_lets_others_by_and_keeps_its_turn():
    waiting = queue()
    fill(waiting, "a", 2)
    fill(waiting, "b", 3)
    assert waiting.pop(0.0, lambda item: item[0] != "a") == "b10"
    assert waiting.pop(0.0, lambda item: item[0] != "a") == "b11"
    assert waiting.pop(0.0, lambda _: False) is None
    assert served(waiting, 3) == "aab"


# fairness and order as properties

tenants = st.sampled_from("abcd")
weights = {"a": 1.0, "b": 1.0, "c": 2.0, "d": 0.5}
MOST_TOKENS = 50


@given(st.lists(st.tuples(tenants, st.integers(1, MOST_TOKENS)), min_size=1, max_size=120))
def test_backlogged_tenants_differ_by_at_most_one_largest_request_for_each_weight(script):
    waiting: FairQueue[int] = FairQueue(1000, 1000, weights)
    for i, (tenant, tokens) in enumerate(script):
        waiting.push(i, tenant, NORMAL, float(tokens), NEVER)
    got = dict.fromkeys(weights, 0.0)
    while True:
        backlogged = [t for t in weights if waiting.waiting_of(t)]
        if len(backlogged) < 2:
            break
        item = waiting.pop(0.0)
        assert item is not None
        tenant, tokens = script[item]
        got[tenant] += tokens / weights[tenant]
        for one in backlogged:
            for other in backlogged:
                bound = MOST_TOKENS / min(weights[one], weights[other])
                assert got[one] - got[other] <= bound + 1e-9


@given(
    st.lists(
        st.tuples(st.booleans(), tenants, st.integers(1, MOST_TOKENS)), min_size=1, max_size=200
    )
)
def test_of_any_span_in_which_two_wait_neither_gets_more_than_two_largest_ahead(script):
    """With arrivals between: the bound of start-time fair queueing."""
    waiting: FairQueue[int] = FairQueue(1000, 1000, weights)
    got = dict.fromkeys([(a, b) for a in weights for b in weights if a < b], 0.0)
    low = dict(got)
    high = dict(got)
    for i, (is_push, tenant, tokens) in enumerate(script):
        if is_push:
            waiting.push(i, tenant, NORMAL, float(tokens), NEVER)
            continue
        both = [p for p in got if waiting.waiting_of(p[0]) and waiting.waiting_of(p[1])]
        item = waiting.pop(0.0)
        for pair in [p for p in got if p not in both]:
            got[pair] = low[pair] = high[pair] = 0.0
        for pair in both:
            assert item is not None
            who, cost = script[item][1], script[item][2] / weights[script[item][1]]
            got[pair] += cost if who == pair[0] else -cost if who == pair[1] else 0.0
            low[pair], high[pair] = min(low[pair], got[pair]), max(high[pair], got[pair])
            bound = MOST_TOKENS / weights[pair[0]] + MOST_TOKENS / weights[pair[1]]
            assert high[pair] - low[pair] <= bound + 1e-9


class Beside(RuleBasedStateMachine):
    """The queue beside a dictionary: nothing lost, nothing twice, never idle while one waits."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue(40, 15, weights)
        self.model: dict[int, tuple[str, Priority, float]] = {}
        self.now_s = 0.0
        self.number = 0

    @rule(
        tenant=tenants, priority=st.sampled_from(Priority), tokens=st.integers(1, 9),
        wait_s=st.sampled_from((0.5, 3.0, 20.0)),
    )  # fmt: skip
    def push(self, tenant, priority, tokens, wait_s):
        self.number += 1
        mine = sum(t == tenant for t, _, _ in self.model.values())
        room = len(self.model) < 40 and mine < 15
        deadline_s = self.now_s + wait_s
        assert self.queue.push(self.number, tenant, priority, tokens, deadline_s) == room
        if room:
            self.model[self.number] = (tenant, priority, deadline_s)

    @rule(kept=st.none() | tenants)
    def pop(self, kept):
        """`kept`: a tenant that fits nowhere now."""
        fits = None if kept is None else lambda item: self.model[item][0] != kept
        item = self.queue.pop(self.now_s, fits)
        live = {i: m for i, m in self.model.items() if m[2] > self.now_s and m[0] != kept}
        if item is None:
            assert not live
            return
        assert item in live
        tenant, priority, _ = self.model.pop(item)
        same = [i for i, m in live.items() if m[:2] == (tenant, priority)]
        assert item == min(same)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def cancel(self, data):
        item = data.draw(st.sampled_from(sorted(self.model)))
        assert self.queue.cancel(item)
        assert not self.queue.cancel(item)
        del self.model[item]

    @rule(tenant=tenants, priority=st.sampled_from(Priority), tokens=st.integers(-5, 20))
    def correct(self, tenant, priority, tokens):
        self.queue.correct(tenant, priority, tokens)

    @rule(step_s=st.sampled_from((0.1, 1.0, 9.0)))
    def wait(self, step_s):
        self.now_s += step_s

    @rule()
    def expire(self):
        late = {i for i, m in self.model.items() if m[2] <= self.now_s}
        assert set(self.queue.expired(self.now_s)) == late
        for item in late:
            del self.model[item]

    @invariant()
    def counts_agree(self):
        assert len(self.queue) == len(self.model)
        for tenant in weights:
            mine = sum(t == tenant for t, _, _ in self.model.values())
            assert self.queue.waiting_of(tenant) == mine
        for priority in Priority:
            mine = sum(p is priority for _, p, _ in self.model.values())
            assert self.queue.waiting(priority) == mine
        first = min((m[2] for m in self.model.values()), default=None)
        assert self.queue.next_deadline_s() == first


TestBeside = Beside.TestCase


def test_report_15_nothing_grows_with_requests_and_tenants_that_are_gone():
    waiting = queue()
    fill(waiting, "a", 3)  # somebody always waits
    for i in range(20_000):
        item = f"x{i}"
        waiting.push(item, f"tenant-{i}", NORMAL, 1.0, NEVER)
        if i % 2:
            waiting.cancel(item)
        else:
            waiting.push(f"a-{i}", "a", NORMAL, 1.0, NEVER)
            waiting.pop(0.0)
            waiting.pop(0.0)
    (band,) = [b for b in waiting._bands.values() if b.waiting]
    sizes = [len(band.flows), len(band.heap), len(waiting._deadlines), len(waiting._items)]
    assert max(sizes) < 500, sizes
