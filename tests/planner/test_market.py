"""What the market asks for a model: matched by name, weighed by the mix, each provider once."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cached_property
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.catalog import Catalog, TokenPrice, load_catalog, model_key
from neocloud.planner.market import OTHER_NAMES, MarketPrice, market_key, market_price

CATALOG = load_catalog()
UNSOLD = {
    "Qwen/Qwen3-VL-2B-Instruct",
    "Qwen/Qwen3-VL-32B-Thinking",
    "Qwen/Qwen3-VL-4B-Instruct",
    "meta-llama/Llama-2-70b-chat-hf",
}
LLAMA = "meta-llama/Meta-Llama-3.1-8B"
SIZE = re.compile(r"(?<![a-z])[0-9.]+b(?![a-z])")
"""Of an offer's name: `8b`, `235b`; not the `a22b` of the active ones, which some leave out."""


class Priced(Catalog):
    """The catalog with other token prices."""

    def __init__(self, *offers: TokenPrice) -> None:
        self._offers = offers

    @cached_property
    def token_prices(self) -> tuple[TokenPrice, ...]:
        return self._offers


def offer(
    provider: str,
    into: str | None,
    out: str | None,
    *,
    key: str = "llama-3.1-8b-instruct",
    status: str = "",
    date: str = "2026-06-01",
) -> TokenPrice:
    prices = [None if text is None else Decimal(text) for text in (into, out)]
    return TokenPrice(
        provider, key, key, prices[0], prices[1], None, None, 0, status, date, "models-dev"
    )


def asked(*offers: TokenPrice, name: str = LLAMA) -> MarketPrice:
    found = market_price(Priced(*offers), name, 3000, 1000)
    assert found is not None
    return found


@pytest.mark.parametrize("name", CATALOG.architecture_names())
def test_every_configuration_finds_its_market_or_has_none(name: str) -> None:
    found = market_price(CATALOG, name, 1000, 200)
    assert (found is None) == (name in UNSOLD)
    if found is not None:
        assert 0 < found.low <= found.median <= found.high < 10
        assert found.providers >= 1
        assert found.date[:4] in {"2023", "2024", "2025", "2026"}


def test_models_that_are_much_sold_find_many_sellers() -> None:
    for name, least in ((LLAMA, 12), ("openai/gpt-oss-120b", 20), ("Qwen/Qwen3-32B", 10)):
        found = market_price(CATALOG, name, 1000, 200)
        assert found is not None and found.providers >= least, name


def test_a_configuration_meets_only_offers_of_its_own_model() -> None:
    """Sizes and kinds that a name tells must be those of the offers that it meets."""
    for name in CATALOG.architecture_names():
        met = {t.key for t in CATALOG.token_prices if market_key(t.key) == market_key(name)}
        sizes = set(SIZE.findall(name.lower()))
        assert not sizes or all(set(SIZE.findall(key)) <= sizes for key in met), (name, met)
        for kind in ("coder", "vl", "thinking", "flash", "distill", "scout", "maverick"):
            assert all((kind in key) == (kind in model_key(name)) for key in met), (name, met)


def test_each_other_name_is_one_of_the_price_lists_and_leads_to_a_configuration() -> None:
    offered = {model_key(t.key) for t in CATALOG.token_prices}
    configured = {model_key(name) for name in CATALOG.architecture_names()}
    for other, usual in OTHER_NAMES.items():
        assert other in offered, other
        assert usual in configured, usual
        assert other not in configured
        assert market_key(other) == usual


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LLAMA, "llama-3.1-8b-instruct"),
        (LLAMA, "meta-llama/Llama-3.1-8B-Instruct-FP8"),
        (LLAMA, "llama3.1-8b"),
        ("moonshotai/Kimi-K2-Instruct", "kimi-k2"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama-4-scout-17b"),
    ],
)
def test_base_and_tuned_names_meet(one: str, other: str) -> None:
    assert market_key(one) == market_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LLAMA, "meta-llama/Meta-Llama-3.1-70B"),
        (LLAMA, "llama-3-8b-instruct"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1-0528"),
        ("Qwen/Qwen3-VL-32B-Instruct", "Qwen/Qwen3-VL-32B-Thinking"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1-distill-llama-70b"),
    ],
)
def test_other_models_do_not(one: str, other: str) -> None:
    assert market_key(one) != market_key(other)


def test_the_mix_weighs_input_and_output_exactly() -> None:
    found = asked(offer("a", "0.1", "0.5"))
    assert found.low == found.median == found.high == Decimal("0.2")  # (3 x 0.1 + 0.5) / 4
    only_input = market_price(Priced(offer("a", "0.1", "0.5")), LLAMA, 7, 0)
    assert only_input is not None and only_input.median == Decimal("0.1")


def test_each_provider_counts_once() -> None:
    found = asked(
        offer("a", "1", "1"), offer("a", "2", "2"), offer("a", "9", "9"),
        offer("b", "4", "4"), offer("c", "3", "3", date="2026-07-02"),
    )  # fmt: skip
    assert found == MarketPrice(
        low=Decimal(2), median=Decimal(3), high=Decimal(4), providers=3, date="2026-07-02"
    )


def test_what_ends_is_free_or_has_no_price_is_left_out() -> None:
    unsold = (
        offer("a", "0.1", "0.1", status="deprecated"),
        offer("b", "0", "0"),
        offer("c", None, "1"),
        offer("d", "1", None),
        offer("e", "1", "1", key="llama-3.1-70b-instruct"),
    )
    assert market_price(Priced(*unsold), LLAMA, 1, 1) is None
    found = asked(*unsold, offer("f", "2", "2", date="2026"))
    assert (found.median, found.providers, found.date) == (Decimal(2), 1, "2026")


def test_a_model_of_ones_own_has_no_market() -> None:
    assert market_price(CATALOG, "models/config.json", 1, 1) is None
    assert market_price(CATALOG, "acme/secret-9b", 1, 1) is None


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(1, 999), st.integers(1, 999)), min_size=1
    ),
    st.integers(0, 10_000),
    st.integers(1, 10_000),
)
def test_it_is_the_plain_statistic_over_providers(
    rows: list[tuple[str, int, int]], into: int, out: int
) -> None:
    offers = [offer(who, str(Decimal(a) / 100), str(Decimal(b) / 100)) for who, a, b in rows]
    found = market_price(Priced(*offers), LLAMA, into, out)
    assert found is not None
    own: dict[str, list[float]] = {}
    for who, a, b in rows:
        own.setdefault(who, []).append((a * into + b * out) / (into + out) / 100)
    asks = [median(prices) for prices in own.values()]
    assert found.providers == len(asks)
    assert float(found.low) == pytest.approx(min(asks))
    assert float(found.median) == pytest.approx(median(asks))
    assert float(found.high) == pytest.approx(max(asks))
