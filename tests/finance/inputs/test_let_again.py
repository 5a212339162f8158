"""The price at which what a customer leaves behind is let again; by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from .clouds import CATALOG, contract, made, money
from .test_supply import FLEET, MARKET


def test_what_is_left_behind_is_let_again_at_the_market_price() -> None:
    """The file's price of the kind, else the catalog's median; never above the contract's own."""
    dear = FLEET.replace("price: 2,", "price: 9,")
    assert contract(made(dear + MARKET), "firm").market_price[2] == money("3.75")
    asked = CATALOG.rental_range("h100-sxm")
    assert asked is not None
    assert contract(made(dear), "firm").market_price[2] == money(str(asked.median))
    assert contract(made(FLEET), "firm").market_price[2] == money(2)


def test_any_accelerator_is_let_again_at_the_price_of_what_it_requires() -> None:
    """`firm` names no kind: it holds the H100 of `first`, at 3 EUR of which it never paid."""
    any_kind = FLEET.replace(
        "lab, accelerator: h100-sxm, accelerators: 100", "lab, accelerators: 100"
    )
    cheap = MARKET.replace("price: 3,", "price: 1,")
    inputs = made(any_kind + cheap)
    assert contract(inputs, "firm").accelerator is None
    assert contract(inputs, "firm").market_price[2] == money("1.25")
    assert contract(made(any_kind + MARKET), "firm").market_price[2] == money(2), "its own price"


def test_any_accelerator_of_no_asset_is_let_again_at_the_mean_price() -> None:
    """In February some of both kinds stand, weighed by the hours of each that can be sold."""
    text = FLEET.replace("lab, accelerator: h100-sxm, accelerators: 100", "lab, accelerators: 100")
    text = text.replace(", requires: [first]", "").replace("price: 2,", "price: 9,")
    inputs = made(text + MARKET.replace("currency: EUR", "currency: USD"))
    (h100, h200) = (item.sellable[1] for item in inputs.installed)
    asked = CATALOG.rental_range("h200-sxm")
    assert asked is not None
    expected = (3 * h100 + Fraction(asked.median) * h200) / (h100 + h200)
    assert contract(inputs, "firm").market_price[1] == pytest.approx(money(1) * float(expected))


def test_without_accelerators_no_market_price_is_known() -> None:
    text = FLEET[: FLEET.index("  assets:")].replace("accelerator: h100-sxm, ", "")
    text = text.replace(", requires: [first]", "")
    assert contract(made(text), "firm").market_price == ()
