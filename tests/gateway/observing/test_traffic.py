"""What is counted of requests, held to a slow and plain count of the same events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.gateway.observability.traffic import (
    FIRST_TOKEN_S,
    PER_TOKEN_S,
    QUEUE_S,
    REQUEST_S,
    TOKENS,
    Traffic,
)
from neocloud.ledger import Status, UsageEvent

BEGUN = 1_760_000_000_000_000_000


def event(**changes: object) -> UsageEvent:
    values: dict[str, object] = {
        "request_id": "r", "tenant": "acme", "key_id": "k", "model": "m", "site": "near",
        "pool": "p", "replica": "near/p/m/0", "accelerator": "a", "engine": "vllm",
        "user_metro": "", "input_tokens": 10, "cached_tokens": 0, "output_tokens": 5,
        "admitted_ns": BEGUN, "first_token_ns": BEGUN + 10**8, "finished_ns": BEGUN + 10**9,
        "status": Status.COMPLETED, "attempts": 1, "streamed": True, "estimated": False,
        "emulated": False,
    }  # fmt: skip
    return UsageEvent(**{**values, **changes})  # type: ignore[arg-type]


def bucket(bounds: tuple[float, ...], value: float) -> int:
    """Index of the first bound that is not below the value."""
    return next((i for i, bound in enumerate(bounds) if value <= bound), len(bounds))


events = st.lists(
    st.tuples(
        st.sampled_from(["m", "n"]), st.sampled_from(["acme", "rhein"]),
        st.sampled_from(["near", ""]), st.sampled_from(list(Status)), st.booleans(),
        st.booleans(), st.integers(0, 10**9), st.integers(0, 5000), st.integers(1, 3),
        st.integers(0, 30_000), st.integers(0, 100_000), st.integers(0, 40_000),
    ),
    max_size=30,
)  # fmt: skip


@given(events)
def test_counts_are_those_of_a_plain_count(drawn: list[tuple[object, ...]]) -> None:
    traffic = Traffic()
    made = []
    for row in drawn:
        model, tenant, site, status, streamed, emulated, inputs, outputs, attempts, *times = row
        first_ms, rest_ms, waited_ms = times
        each = event(
            model=model, tenant=tenant, site=site, status=status, streamed=streamed,
            emulated=emulated, input_tokens=inputs, output_tokens=outputs, attempts=attempts,
            first_token_ns=BEGUN + first_ms * 10**6,
            finished_ns=BEGUN + (first_ms + rest_ms) * 10**6,
        )  # fmt: skip
        traffic.ended(each, waited_ms * 10**6)
        made.append((each, waited_ms * 10**6))
    for labels, sums in traffic.sums.items():
        mine = [
            (e, w)
            for e, w in made
            if (e.model, e.tenant, e.site, e.api, e.status, e.emulated) == labels
        ]
        assert sums.requests == len(mine)
        assert sums.retries == sum(e.attempts - 1 for e, _ in mine)
        assert sums.input_tokens == sum(e.input_tokens for e, _ in mine)
        assert sums.output_tokens == sum(e.output_tokens for e, _ in mine)
    assert sum(s.requests for s in traffic.sums.values()) == len(made)
    for series, buckets in traffic.buckets.items():
        mine = [(e, w) for e, w in made if (e.model, e.site, e.api, e.status, e.emulated) == series]
        assert buckets.duration_ns == sum(e.finished_ns - e.admitted_ns + w for e, w in mine)
        whole = [(e, w) for e, w in mine if e.status is Status.COMPLETED and e.streamed]
        for found, bounds, values in (
            (buckets.durations, REQUEST_S,
             [(e.finished_ns - e.admitted_ns + w) / 1e9 for e, w in mine]),
            (buckets.first_tokens, FIRST_TOKEN_S,
             [(e.first_token_ns - e.admitted_ns + w) / 1e9 for e, w in whole]),
            (buckets.per_tokens, PER_TOKEN_S,
             [(e.finished_ns - e.first_token_ns) // (e.output_tokens - 1) / 1e9
              for e, _ in whole if e.output_tokens > 1]),
            (buckets.input_tokens, TOKENS, [e.input_tokens for e, _ in mine]),
            (buckets.output_tokens, TOKENS, [e.output_tokens for e, _ in mine]),
        ):  # fmt: skip
            expected = [0] * (len(bounds) + 1)
            for number in values:
                expected[bucket(bounds, number)] += 1
            assert found == expected


def test_a_value_on_a_bound_lies_below_it() -> None:
    traffic = Traffic()
    traffic.ended(event(finished_ns=BEGUN + 160_000_000))
    (buckets,) = traffic.buckets.values()
    assert buckets.durations[REQUEST_S.index(0.16)] == 1


def test_an_unstreamed_answer_says_nothing_of_its_first_token() -> None:
    traffic = Traffic()
    traffic.ended(event(streamed=False))
    traffic.ended(event(status=Status.ABORTED))
    assert all(sum(b.first_tokens) == sum(b.per_tokens) == 0 for b in traffic.buckets.values())


def test_requests_and_attempts_are_apart() -> None:
    """Report 12: tries that failed are counted apart, and another replica's answer once."""
    traffic = Traffic()
    traffic.ended(event(attempts=3))
    traffic.ended(event(attempts=2, status=Status.FAILED))
    traffic.ended(event())
    sums = traffic.sums.values()
    assert sum(s.requests for s in sums) == 3
    assert sum(s.retries for s in sums) == 3
    assert sum(s.failovers for s in sums) == 1


def test_histograms_are_shared_by_tenants() -> None:
    """A thousand tenants have a counter each, and one histogram together."""
    traffic = Traffic()
    for number in range(1000):
        traffic.ended(event(tenant=f"t{number}"))
        traffic.ended(event(tenant=f"t{number}"))
    assert len(traffic.sums) == 1000
    assert len(traffic.buckets) == 1


def test_waiting_is_counted_by_model() -> None:
    traffic = Traffic()
    traffic.waited("m", 40_000_000_000)
    traffic.waited("m", 1_000_000)
    assert traffic.waits["m"].buckets == [1, *[0] * (len(QUEUE_S) - 1), 1]
    assert traffic.waits["m"].total_ns == 40_001_000_000


@pytest.mark.parametrize("tokens", [-(10**30), -1, 0, 2**53, 10**30])
def test_whatever_an_engine_claims_can_be_counted(tokens: int) -> None:
    """It is counted before the ledger bounds it, and nothing may keep it from the ledger."""
    traffic = Traffic()
    traffic.ended(event(input_tokens=tokens, output_tokens=tokens, finished_ns=0))
    (buckets,) = traffic.buckets.values()
    assert sum(buckets.input_tokens) == sum(buckets.output_tokens) == 1
