"""Prompts that begin alike meet again, on any gateway, without a table that grows."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from neocloud.routing import (
    Choice,
    Group,
    Shares,
    choose,
    kernels,
    prefix_hashes,
)
from neocloud.routing.prefix import home_hash

from .clouds import NOW, chosen, groups, request, requests, state

BLOCK, MOST = 64, 8
SALT = b"tenant"


def prompt(seed: int, blocks: int = 4) -> bytes:
    return random.Random(seed).randbytes(blocks * BLOCK)


def hashes(text: bytes, salt: bytes = SALT) -> tuple[int, ...]:
    return prefix_hashes(text, salt, BLOCK, MOST)


def pool(number: int) -> list:
    return [state(ordinal=i) for i in range(number)]


def homes(states: list, seeds: range) -> dict[int, str]:
    group = Group("llama", states)
    return {seed: chosen(group, request(prefix=hashes(prompt(seed)))) for seed in seeds}


# hashes


@given(st.binary(max_size=1000), st.binary(max_size=1000), st.binary(max_size=9))
def test_prompts_share_hashes_exactly_as_far_as_they_share_blocks(one, two, salt):
    mine, others = hashes(one, salt), hashes(two, salt)
    assert len(mine) == min(len(one) // BLOCK, MOST)
    alike = sum(a == b for a, b in zip(mine, others, strict=False))
    for n in range(1, min(len(mine), len(others)) + 1):
        if one[: n * BLOCK] == two[: n * BLOCK]:
            assert mine[:n] == others[:n]
            assert alike >= n


def test_one_byte_changes_the_hashes_from_its_block_on():
    text = bytearray(prompt(1))
    before = hashes(bytes(text))
    text[BLOCK + 5] ^= 1
    after = hashes(bytes(text))
    assert before[0] == after[0]
    assert all(a != b for a, b in zip(before[1:], after[1:], strict=True))


def test_tenants_do_not_share_hashes():
    assert not set(hashes(prompt(1), b"one")) & set(hashes(prompt(1), b"two"))


class Counting(bytes):
    """Bytes that count what is read of them."""

    read = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        type(self).read += len(found)
        return found


def test_report_18_a_long_prompt_costs_no_more_than_its_first_blocks():
    long = Counting(bytes(1_000_000))
    assert len(prefix_hashes(long, SALT, BLOCK, MOST)) == MOST
    assert Counting.read == BLOCK * MOST


def test_a_conversation_changes_its_home_a_few_times_at_most():
    text = prompt(7, 50)
    seen = [home_hash(hashes(text[: n * BLOCK])) for n in range(1, 51)]
    assert len(set(seen)) == 4  # after 1, 2, 4 and 8 blocks
    assert len(set(seen[7:])) == 1


# homes


def test_report_19_gateways_agree_without_talking():
    """Another process, another order, other loads within the slack: the same homes."""
    seeds = range(200)
    first = homes(pool(20), seeds)
    shuffled = pool(20)
    random.Random(1).shuffle(shuffled)
    for i, one in enumerate(shuffled):
        one.in_flight = i % 10
    assert homes(shuffled, seeds) == first


def test_report_19_a_replica_that_leaves_or_comes_moves_only_its_own_share():
    seeds = range(2000)
    all_up = homes(pool(20), seeds)
    states = pool(20)
    gone = states[7].replica
    states[7].healthy = False
    down = homes(states, seeds)
    without = homes(states[:7] + states[8:], seeds)
    assert down == without
    moved = [seed for seed in seeds if all_up[seed] != down[seed]]
    assert moved == [seed for seed in seeds if all_up[seed] == gone]
    assert len({down[seed] for seed in moved}) > 10  # and it is spread over those that are left


def test_homes_are_dealt_evenly():
    found = Counter(homes(pool(20), range(20_000)).values())
    assert len(found) == 20
    # 2,048 buckets over 20 replicas: 102 each, standard deviation 10; four of them.
    assert max(found.values()) < 1000 * 1.4
    assert min(found.values()) > 1000 * 0.6


def test_a_home_that_is_overloaded_is_passed_over_for_the_next_home():
    states = pool(4)
    group = Group("llama", states)
    asked = request(prefix=hashes(prompt(3)))
    order = []
    for _ in range(3):
        choice = choose(group, asked, NOW)
        assert isinstance(choice, Choice)
        order.append(choice.replica)
        states[choice.index].in_flight = 17  # of 64: beyond the slack of a quarter
    assert len(set(order)) == 3
    for one in states:
        one.in_flight = 17  # all alike: home again
    assert chosen(group, asked) == order[0]


def test_no_prefix_is_worth_a_queue():
    states = pool(2)
    group = Group("llama", states)
    asked = request(prefix=hashes(prompt(3)))
    home = choose(group, asked, NOW)
    assert isinstance(home, Choice)
    states[home.index].in_flight = 70
    states[1 - home.index].in_flight = 60
    assert chosen(group, asked) == states[1 - home.index].replica


@given(groups(), requests())
def test_the_replica_is_least_occupied_or_within_the_bound(group, asked):
    choice = choose(group, asked, NOW)
    if not isinstance(choice, Choice):
        return
    (mine,) = [p for p in group.pools if choice.index in p.indexes]
    inside = {
        m[4]: kernels.occupancy(m[0].in_flight, m[1], m[2])
        for m in mine.members
        if m[0].replica not in asked.excluded
    }
    least = min(inside.values())
    assert inside[choice.index] <= kernels.affinity_bound(least)


def test_one_hot_prompt_spreads_over_the_pool():
    """Bounded load: everybody sends the same prompt, nobody drowns."""
    states = pool(8)
    group = Group("llama", states)
    asked = request(prefix=hashes(prompt(5)))
    for _ in range(256):
        choice = choose(group, asked, NOW)
        assert isinstance(choice, Choice)
        states[choice.index].in_flight += 1
    loads = [s.in_flight for s in states]
    assert min(loads) > 0
    assert max(loads) - min(loads) <= 64 * kernels.AFFINITY_SLACK + 1


def test_alike_prompts_meet_in_one_pool_too():
    states = [state(site, ordinal=i) for site in ("ashburn", "frankfurt") for i in range(3)]
    group = Group("llama", states)
    sites = Counter()
    for seed in range(400):
        asked = request(prefix=hashes(prompt(seed)))
        first = choose(group, asked, NOW)
        assert isinstance(first, Choice)
        states[first.index].in_flight += 10  # a little more load there
        assert choose(group, asked, NOW) == first
        states[first.index].in_flight -= 10
        sites[states[first.index].site] += 1
    assert min(sites.values()) > 120  # and the pools share the prompts


def test_the_plan_divides_prompts_and_keeps_alike_ones_together():
    states = [state(), state("frankfurt", cost=1.5)]
    plan = Shares.of({"ashburn/h100-sxm": 4.0, "frankfurt/h100-sxm": 1.0})
    group = Group("llama", states)
    found = Counter()
    for seed in range(2000):
        asked = request(prefix=hashes(prompt(seed)), plan=plan)
        site = chosen(group, asked)
        assert chosen(group, msgspec.structs.replace(asked, draw=seed)) == site
        found[site] += 1
    # Binomial with 2,000 tries at 0.2: 400, standard deviation 18; four of them.
    assert 328 < found["frankfurt/h100-sxm/llama/0"] < 472


def test_report_15_fresh_prompts_leave_no_trace_in_memory():
    group = Group("llama", pool(20))
    chance = random.Random(1)

    def serve(number: int) -> None:
        for _ in range(number):
            choose(group, request(prefix=hashes(chance.randbytes(BLOCK * 2))), NOW)

    serve(20_000)  # every bucket has been met
    tracemalloc.start()
    try:
        serve(2_000)
        before = tracemalloc.get_traced_memory()[0]
        serve(20_000)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 10_000  # less than one byte for each prompt
