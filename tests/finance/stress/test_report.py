"""The whole report, of clouds that lack what it is about too."""

from __future__ import annotations

import io

import msgspec
import pytest

from neocloud.finance.records import Inputs
from neocloud.finance.stress import (
    NAMES,
    Asked,
    StressReport,
    draw_stress,
    scenario_of,
    stress_csv,
    stress_page,
    stress_report,
    stress_text,
)

from .cases import chances, simple, ten_contracts

EVERYTHING = Asked(
    scenarios=tuple(scenario_of(name) for name in NAMES), paths=40, seed=3, reverse=True
)


def made(inputs: Inputs) -> StressReport:
    return stress_report(inputs, EVERYTHING, chances(3), lambda _what, _share: None)


BARE = [
    simple(contracts=()),
    simple(facilities=()),
    simple(contracts=(), facilities=(), installed=(), costs=()),
]


@pytest.mark.parametrize("inputs", BARE, ids=["no contracts", "no debt", "nothing"])
def test_what_is_not_there_is_not_told(inputs: Inputs):
    pytest.importorskip("matplotlib")
    report = made(inputs)
    text = stress_text(report)
    page = stress_page(report)
    file = io.BytesIO()
    draw_stress(report, file, "png")
    assert file.getvalue().startswith(b"\x89PNG")
    for word in ("nan", "None", "inf"):
        assert word not in text.replace("Nothing", "").split()
        assert f">{word}" not in page
    assert len(stress_csv(report).splitlines()) == 2 + len(NAMES)


def test_text_and_page_tell_the_same_figures():
    report = made(ten_contracts())
    text, page = stress_text(report), stress_page(report)
    assert report.base.min_dscr is not None
    assert f"{report.base.min_dscr:.2f}x" in text
    assert f"{report.base.min_dscr:.2f}x" in page
    assert report.monte_carlo is not None
    shortfall = report.monte_carlo.tails[0].expected_shortfall
    assert f"{shortfall:.2f}x" in text
    assert f"{shortfall:.2f}x" in page
    for name in NAMES:
        assert name in page


def test_contracts_that_nobody_knows_a_market_price_for_are_named():
    priced = simple()
    assert made(priced).without_market == ()
    assert "No market price" not in stress_text(made(priced))
    unpriced = msgspec.structs.replace(priced.contracts[0], market_price=())
    report = made(simple(contracts=(unpriced,)))
    assert report.without_market == ("acme-1",)
    told = "No market price is known for what these contracts hold, so nothing of it is let again"
    assert f"{told}: acme-1. " in stress_text(report)
    assert told in stress_page(report)


def test_what_is_being_done_is_told():
    said: list[tuple[str, float | None]] = []
    asked = Asked(scenarios=(), paths=1001, seed=1, reverse=False)
    stress_report(simple(), asked, chances(1), lambda what, share: said.append((what, share)))
    assert said == [("scenarios", None), *(("1,001 paths", part / 3) for part in range(3))]
