"""Accelerator-hours that serve models: from a real ledger, and from contracts."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.books.invoices.shop import Memory
from tests.finance.model.cases import company, money, sale

from neocloud.finance.arithmetic import Exact
from neocloud.finance.indicators import inference_use, read_ledger
from neocloud.finance.model import run
from neocloud.finance.records import Inputs, Installed, Merchant
from neocloud.units import HOUR_NS

from .ledgers import at, held, metered, request, serving

JANUARY = date(2024, 1, 1)


def inputs_of(count: int = 3, **parts: object) -> Inputs:
    sellable = tuple(Fraction(24 * days * 10) for days in (31, 29, 31)[:count])
    kind = Installed(accelerator="h100-sxm", installed=(10,) * count, spare=(0,) * count,
                     sellable=sellable)  # fmt: skip
    return company(count, first=JANUARY, installed=(kind,), **parts)


def test_a_leap_february_by_hand(tmp_path):
    # February 2024 has 696 hours. Four accelerators serve through it, two train for ten days,
    # one is idle and one is down; the span of the server began in January and ends in March.
    spans = (
        serving("2024-01-31T12:00:00", 12 + 696 + 12, count=4),
        held("2024-02-10", 240, 2, holder="contract/t", tenant="anna"),
        held("2024-02-01", 696, 1, holder="idle", tenant="", purpose="idle"),
        held("2024-02-01", 696, 1, holder="down", tenant="", purpose="down"),
    )
    read = metered(tmp_path, (), spans)
    inputs = inputs_of()
    found = inference_use(inputs, run(inputs, Exact()), read)
    february = found.months[1]
    assert dict(february.by_use) == {"inference: llama": 4 * 696, "training": 480}
    assert found.of_used.at("2024-02").value == Fraction(4 * 696, 4 * 696 + 480)
    assert found.of_sellable.at("2024-02").value == Fraction(4, 10)
    # The ledger covers twelve hours of January: four of ten accelerators, all that was used.
    assert found.of_used.at("2024-01").value == 1
    assert found.of_sellable.at("2024-01").value == Fraction(4, 10)
    assert {point.origin for point in found.of_used.points} == {"metered"}
    assert any("2024-01, 2024-03" in note for note in found.notes)


def test_what_moved_it(tmp_path):
    spans = (
        serving("2024-01-01", 31 * 24, count=4),
        serving("2024-02-01", 696, count=4),
        held("2024-02-01", 696, 4, holder="contract/t", tenant="anna"),
    )
    inputs = inputs_of()
    found = inference_use(inputs, run(inputs, Exact()), metered(tmp_path, (), spans))
    point = found.of_used.at("2024-02")
    assert point.change == Fraction(-1, 2)
    assert sum(part.value for part in point.parts) == point.change
    assert {part.name for part in point.parts} == {"inference: llama", "training"}


def test_months_to_come_are_planned(tmp_path):
    inputs = inputs_of(
        contracts=(
            sale(3, money(1), hours=(Fraction(600),) * 3),
            sale(3, money(1), key="d", purpose="inference", model="llama",
                 hours=(Fraction(100),) * 3),
            sale(3, money(1), key="p", purpose="inference", hours=(Fraction(9999),) * 3,
                 probability=Fraction(1, 2), weight=Fraction(0)),
        ),
        merchant=(Merchant(key="m", source="tokens", earned=(0,) * 3, hours=(Fraction(300),) * 3),),
    )  # fmt: skip
    read = metered(tmp_path, (), (serving("2024-01-01", 24),))
    found = inference_use(inputs, run(inputs, Exact()), read)
    assert [month.origin for month in found.months] == ["metered", "planned", "planned"]
    assert found.of_used.at("2024-02").value == Fraction(400, 1000)
    assert found.of_sellable.at("2024-02").value == Fraction(400, 6960)


def test_before_the_model_hours_to_sell_are_not_known(tmp_path):
    inputs = inputs_of()
    read = metered(tmp_path, (), (serving("2023-12-01", 24),))
    found = inference_use(inputs, run(inputs, Exact()), read)
    assert found.of_used.at("2023-12").value == 1
    assert found.of_sellable.at("2023-12").value is None
    assert "months of the model only" in found.of_sellable.at("2023-12").unknown


def test_without_a_ledger_or_use_it_says_so():
    inputs = inputs_of()
    found = inference_use(inputs, run(inputs, Exact()), None)
    assert found.notes == ("No ledger was given: all months are as planned.",)
    assert {point.unknown for point in found.of_used.points} == {"nothing was used"}


def test_real_use_stands_in_place_of_emulated(tmp_path):
    spans = (
        serving("2024-01-01", 24),
        held("2024-01-01", 24, 7, holder="e", purpose="test", emulated=True),
    )
    read = metered(tmp_path, (request("2024-01-01", "anna"),), spans)
    assert not read.emulated
    assert [(h.purpose, h.nanoseconds) for h in read.held] == [("inference", 24 * HOUR_NS)]


def test_emulated_use_alone_is_told(tmp_path):
    read = metered(tmp_path, (), (serving("2024-01-01", 24, emulated=True),))
    assert read.emulated
    inputs = inputs_of()
    found = inference_use(inputs, run(inputs, Exact()), read)
    assert "What is metered is of emulated engines." in found.notes


def test_an_empty_ledger_is_none():
    assert read_ledger(Memory()) is None


SPAN = st.tuples(st.integers(0, 90), st.integers(1, 60), st.integers(1, 4))


@given(st.lists(SPAN, min_size=1, max_size=8), st.lists(st.integers(1, 149), max_size=3))
def test_several_tellers_and_pieces_count_once(spans, cuts):
    """Hours of one holder are those in which any span holds, at its largest count."""
    begin = at("2024-01-30")

    def event(start: int, end: int, count: int, number: int):
        return held(
            "2024-01-30", 1, count, holder="r", tenant="", purpose="inference",
            start_ns=begin + start * HOUR_NS, end_ns=begin + end * HOUR_NS, event_id=f"e{number}",
        )  # fmt: skip

    pieces = []
    for start, length, count in spans:
        edges = sorted({start, start + length, *(c for c in cuts if start < c < start + length)})
        pieces += [(a, b, count) for a, b in pairwise(edges)]
    read = read_ledger(Memory((), [event(*piece, n) for n, piece in enumerate(pieces * 2)]))
    plain = sum(
        max((count for start, length, count in spans if start <= hour < start + length), default=0)
        for hour in range(150)
    )
    assert sum(h.nanoseconds for h in read.held) == plain * HOUR_NS
    assert {h.month for h in read.held} <= {"2024-01", "2024-02"}
