"""One event by itself: without tiers all of them together cost what each one does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.books.metering import event
from tests.books.priced import PLAIN, book

from neocloud.books.prices import BILLED
from neocloud.books.rating import UnpricedModelError, rate, rate_event, total_pico
from neocloud.ledger import Status

BOOK = book()


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
    whole = sum(rate_event(e, BOOK).pico for e in events)
    assert total_pico(rate(BOOK, events).lines).get("USD", 0) == whole
    assert whole == sum(
        260_000 * (e.input_tokens - e.cached_tokens)
        + 50_000 * e.cached_tokens
        + 550_000 * e.output_tokens
        for e in events
        if e.status in (Status.COMPLETED, Status.ABORTED)
    )


@pytest.mark.parametrize("status", Status)
def test_only_what_was_generated_for_the_client_is_billed(status):
    rated = rate_event(event(status=status, cached_tokens=300), BOOK)
    billed = status in {Status.COMPLETED, Status.ABORTED}
    assert (status in BILLED) == billed
    assert (rated.currency, rated.tenant) == ("USD", "acme")
    assert rated.pico == (billed and 700 * 260_000 + 300 * 50_000 + 200 * 550_000)


def test_an_event_is_in_the_first_tier():
    tiers = "0.55, tiers: [{above_mtok: 0.0001, input: 0.1, output: 0.1}]"
    tiered = book(PLAIN.replace("0.55", tiers))
    one = event(input_tokens=0, output_tokens=150)
    assert rate_event(one, tiered).pico == 100 * 550_000 + 50 * 100_000


def test_a_model_without_a_price_is_refused():
    with pytest.raises(UnpricedModelError, match="other on 2026-10-05T13:00:00Z, which has no"):
        rate_event(event(model="other"), BOOK)


def test_cached_tokens_cost_as_much_as_others_unless_said():
    plain = book(PLAIN.replace("cached_input: 0.05, ", ""))
    one = event(input_tokens=10, cached_tokens=10, output_tokens=0)
    assert rate_event(one, plain).pico == 2_600_000
