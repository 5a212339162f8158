"""Rating is exact: the sums of tokens priced are the priced events summed, whatever the numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books.metering import CATALOG, TEXT, event, small_cloud

from neocloud.books import (
    BILLED,
    TokenKind,
    UnpricedModelError,
    billed_tokens,
    price_list,
    rate_event,
    rate_usage,
)
from neocloud.ledger import Status
from neocloud.spec.load import parse_cloud

PRICES = price_list(small_cloud())


@st.composite
def usage(draw):
    """Events of two tenants; cached tokens never exceed the prompt."""
    events = []
    for number in range(draw(st.integers(0, 12))):
        prompt = draw(st.integers(0, 10**9))
        events.append(
            event(
                number,
                tenant=draw(st.sampled_from(("acme", "rhein"))),
                input_tokens=prompt,
                cached_tokens=draw(st.integers(0, prompt)),
                output_tokens=draw(st.integers(0, 10**9)),
                status=draw(st.sampled_from(Status)),
            )
        )
    return events


@given(usage())
def test_rated_sums_are_the_rated_events_summed(events):
    whole = sum(rate_event(e, PRICES).pico for e in events)
    assert sum(u.pico for u in rate_usage(events, PRICES)) == whole
    by_hand = sum(
        260_000 * (e.input_tokens - e.cached_tokens)
        + 50_000 * e.cached_tokens
        + 550_000 * e.output_tokens
        for e in events
        if e.status in (Status.COMPLETED, Status.ABORTED)
    )
    assert whole == by_hand


@pytest.mark.parametrize("status", Status)
def test_only_what_was_generated_for_the_client_is_billed(status):
    given_event = event(status=status, cached_tokens=300)
    rated = rate_event(given_event, PRICES)
    billed = status in {Status.COMPLETED, Status.ABORTED}
    assert (status in BILLED) == billed
    assert rated.pico == (billed and 700 * 260_000 + 300 * 50_000 + 200 * 550_000)
    assert sum(billed_tokens(given_event).values()) == (1200 if billed else 0)


def test_a_short_cheap_request_costs_something():
    one = event(input_tokens=1, output_tokens=0)
    assert rate_event(one, PRICES).pico == 260_000
    assert [u.tokens for u in rate_usage([one] * 3, PRICES)] == [3]


def test_a_model_without_a_price_is_refused():
    for rate in (lambda e: rate_event(e, PRICES), lambda e: rate_usage([e], PRICES)):
        with pytest.raises(UnpricedModelError, match="other, which has no price"):
            rate(event(model="other"))


def test_prices_are_those_of_the_file_and_another_price_is_another_version():
    assert PRICES.per_million("llama", TokenKind.CACHED_INPUT) == Decimal("0.05")
    dearer = price_list(parse_cloud(TEXT.replace("0.55", "0.56"), "cloud.yaml", CATALOG))
    assert dearer.version != PRICES.version
    assert price_list(small_cloud()).version == PRICES.version


def test_cached_tokens_cost_as_much_as_others_unless_said():
    plain = TEXT.replace("cached_input: 0.05, ", "")
    prices = price_list(parse_cloud(plain, "cloud.yaml", CATALOG))
    assert prices.per_million("llama", TokenKind.CACHED_INPUT) == Decimal("0.26")
