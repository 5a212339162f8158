"""Prices: exact, dated, sourced; found by accelerator, provider or model."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from neocloud.catalog import CatalogError, Grade, load_catalog, model_key

CATALOG = load_catalog()


def dated(text: str) -> date:
    return date.fromisoformat(f"{text}-01-01"[:10])


def test_rental_prices_are_exact_ordered_and_sourced() -> None:
    assert len(CATALOG.rental_prices) > 300
    for offer in CATALOG.rental_prices:
        assert all(isinstance(p, Decimal) for p in (offer.low, offer.median, offer.high))
        assert 0 < offer.low <= offer.median <= offer.high < 100
        assert offer.offers >= 1
        assert offer.tier in {"on-demand", "reserved", "spot"}
        assert (offer.term_months > 0) == (offer.tier == "reserved")
        assert offer.source in CATALOG.sources
        assert dated(offer.date) >= date(2026, 1, 1)


def test_offers_of_the_kinds_that_most_rent_are_known_by_their_catalog_keys() -> None:
    offered = {offer.accelerator for offer in CATALOG.rental_prices}
    assert {
        "a100-sxm-80gb", "h100-sxm", "h100-pcie", "h200-sxm", "b200-sxm", "b300-sxm", "l40s",
        "mi300x", "mi355x", "gh200", "gb200-nvl72", "gb300-nvl72", "rtx-pro-6000-server",
    } <= offered & set(CATALOG.accelerators)  # fmt: skip


def test_a_reservation_is_no_dearer_than_the_hour() -> None:
    """For one provider, accelerator, region and date: the middle of each."""
    hourly = {
        (o.provider, o.accelerator, o.region, o.source): o.median
        for o in CATALOG.rental_prices
        if o.tier == "on-demand"
    }
    longest = [o for o in CATALOG.rental_prices if o.term_months == 36]
    pairs = [
        (o.median, hourly[key])
        for o in longest
        if (key := (o.provider, o.accelerator, o.region, o.source)) in hourly
    ]
    assert len(pairs) > 10
    assert all(reserved <= on_demand for reserved, on_demand in pairs)


def test_the_range_counts_each_seller_once() -> None:
    found = CATALOG.rental_range("h100-sxm")
    assert found is not None
    offers = [
        o for o in CATALOG.rental_prices if o.accelerator == "h100-sxm" and o.tier == "on-demand"
    ]
    assert found.sellers == len({o.provider for o in offers}) < len(offers)
    assert found.low == min(o.low for o in offers)
    assert found.high == max(o.high for o in offers)
    assert found.low < found.median < found.high
    assert Decimal("2.5") < found.median < Decimal("4.5")
    assert isinstance(found.median, Decimal)
    assert CATALOG.rental_range("tpu-v6e") is None


def test_months_follow_the_days() -> None:
    crusoe = [
        m.median
        for m in CATALOG.prices("h100-sxm").history
        if (m.provider, m.tier) == ("crusoe", "on-demand")
    ]
    assert crusoe == [Decimal("3.9")] * 4  # May to August 2026: unchanged
    for month in CATALOG.rental_history:
        assert 1 <= month.days <= 31
        assert 0 < month.low <= month.median <= month.high
        assert month.provider != "nebius"  # its tier is unclear


def test_token_prices_are_exact_and_sourced() -> None:
    assert len(CATALOG.token_prices) == 1703
    for offer in CATALOG.token_prices:
        for price in (offer.input, offer.output, offer.cached_input, offer.cache_write):
            assert price is None or (isinstance(price, Decimal) and price >= 0)
        assert offer.source in CATALOG.sources
        assert dated(offer.date).year >= 2023
        assert offer.status in {"", "alpha", "beta", "deprecated"}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("meta-llama/Meta-Llama-3.1-70B", "llama-3.1-70b"),
        ("Qwen/Qwen3-32B-FP8-Static-PerTensor", "qwen3-32b"),
        ("Llama-3.1-70B-Instruct-FP8", "llama-3.1-70b"),
    ],
)
def test_a_models_name_leads_to_its_offers(name: str, key: str) -> None:
    assert model_key(name) == key
    tokens = CATALOG.prices(name).tokens
    assert len(tokens) > 2
    assert {model_key(offer.key) for offer in tokens} == {key}


def test_prices_of_a_provider() -> None:
    found = CATALOG.prices("nebius")
    assert {offer.provider for offer in found.rentals} == {"nebius"}
    assert {offer.provider for offer in found.tokens} == {"nebius"}
    assert CATALOG.prices("H100-SXM").rentals == CATALOG.prices("h100-sxm").rentals


@pytest.mark.parametrize(
    ("name", "near"),
    [("h100-sxn", "h100-sxm"), ("lamda", "lambda"), ("gpt-oss-121b", "gpt-oss-120b")],
)
def test_an_unknown_name_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(CatalogError, match="no price of") as caught:
        CATALOG.prices(name)
    assert near in caught.value.nearest


def test_the_places_of_providers_are_markets_with_a_source_and_belong_to_a_price() -> None:
    """Metros where data-center space is bought: there power and carbon are known too."""
    priced = {(offer.provider, offer.region) for offer in CATALOG.rental_prices}
    for place in CATALOG.provider_regions:
        assert (place.provider, place.region) in priced, place
        assert CATALOG.metro(place.metro).dc_market, place
        assert place.source in CATALOG.sources
        assert dated(place.date) >= date(2025, 1, 1)
        assert place.note
        assert (place.grade is Grade.ASSUMED) == (place.source == "recalled-regions"), place
    keys = [(p.provider, p.region, p.metro) for p in CATALOG.provider_regions]
    assert keys == sorted(set(keys)), "in order, and no place twice"


def test_a_price_without_a_region_holds_in_up_to_six_places_and_one_with_a_region_in_one() -> None:
    for provider, region in {(p.provider, p.region) for p in CATALOG.provider_regions}:
        places = CATALOG.places(provider, region)
        assert 1 <= len(places) <= (6 if region in {"", "global"} else 1), (provider, region)


def test_every_region_with_a_name_is_placed() -> None:
    named = {
        (offer.provider, offer.region)
        for offer in CATALOG.rental_prices
        if offer.region and offer.provider != "runpod"  # its hosts stand anywhere
    }
    assert len(named) > 10
    assert all(CATALOG.places(*pair) for pair in named)


def test_marketplaces_stand_nowhere() -> None:
    for provider in ("vast-ai", "runpod", "akash", "tensordock", "modal"):
        assert any(offer.provider == provider for offer in CATALOG.rental_prices)
        assert not any(CATALOG.places(provider, region) for region in ("", "global"))


def test_prices_of_a_provider_say_where_it_stands() -> None:
    found = CATALOG.prices("nebius")
    assert {place.metro for place in found.regions} == {"helsinki", "kansas-city", "paris"}
    assert {place.source for place in found.regions} <= set(found.sources)
    sellers = {offer.provider for offer in CATALOG.prices("h100-sxm").rentals}
    assert {place.provider for place in CATALOG.prices("h100-sxm").regions} <= sellers
    assert CATALOG.prices("vast-ai").regions == ()
