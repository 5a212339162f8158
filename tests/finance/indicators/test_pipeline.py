"""What may be sold beside what can be delivered, by hand."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from tests.finance.model.cases import company, money, sale

from neocloud.finance.arithmetic import Exact
from neocloud.finance.indicators import Pipeline, pipeline
from neocloud.finance.model import run
from neocloud.finance.records import Asset, Contract, Inputs, Installed, Power

QUARTER, HALF = Fraction(1, 4), Fraction(1, 2)


def maybe(key: str, count: int, first: int, signed: int, amount: int) -> Contract:
    """A contract that is signed with a probability of a quarter."""
    earned = (0,) * first + (money(amount),) * (4 - first)
    return sale(4, 0, key=key, first=first, signed=signed, probability=QUARTER,
                weight=Fraction(0), earned=earned, committed=earned,
                accelerators=(0,) * first + (count,) * (4 - first))  # fmt: skip


def case(**parts: object) -> Inputs:
    kind = Installed(accelerator="h100-sxm", installed=(0, 100, 100, 200), spare=(0, 20, 20, 40),
                     sellable=(Fraction(0),) * 4)  # fmt: skip
    return company(
        4,
        installed=(kind,),
        contracts=(
            sale(4, money(10), key="one", accelerators=(40,) * 4, signed=-3),
            sale(4, money(30), key="two", accelerators=(0, 40, 40, 40), signed=1),
            maybe("three", 160, 1, 1, 20),
            maybe("four", 40, 2, 2, 10),
        ),
        **parts,
    )


def found(**parts: object) -> Pipeline:
    inputs = case(**parts)
    return pipeline(inputs, run(inputs, Exact()))


def values(series):
    return [point.value for point in series.points]


def test_multiples_of_capacity():
    made = found()
    assert values(made.multiple) == [None, 2, Fraction(200, 80), Fraction(200, 160)]
    assert values(made.multiple_weighted) == [None, Fraction(1, 2), Fraction(5, 8), Fraction(5, 16)]
    assert made.multiple.points[0].unknown == "nothing can be delivered"
    # Signed contracts hold 80 of 80, then of 160.
    assert values(made.multiple_of_free) == [None, None, None, Fraction(200, 80)]
    assert made.multiple_of_free.points[1].unknown == "signed contracts leave nothing free"
    assert values(made.multiple_of_free_weighted)[3] == Fraction(50, 80)
    assert values(made.signed) == [None, 1, 1, HALF]


def test_what_moved_a_multiple():
    point = found().multiple.points[3]
    assert [part.name for part in point.parts] == ["capacity: h100-sxm"]
    assert point.parts[0].value == point.change == Fraction(5, 4) - Fraction(5, 2)


def test_megawatts_are_those_of_the_nodes():
    nodes = Asset(key="n", kind="accelerators", in_service=0, life_months=12, accelerators=100,
                  megawatts=Fraction(1, 2))  # fmt: skip
    power = Power(site="east", rung="active", megawatts=(Fraction(0), *(Fraction(2),) * 3))
    made = found(assets=(nodes,), power=(power,))
    # 160 and then 200 accelerators of 5 kW beside 2 MW.
    assert values(made.megawatts) == [None, Fraction(8, 20), HALF, HALF]
    assert made.megawatts.points[0].unknown == "no site says what is active"
    assert found().megawatts.points[1].unknown.startswith("no asset says")


def test_conversion_goes_by_dates_of_signing():
    made = found()
    # 40 signed before; 120 and 60 open in February, 20 open in March.
    assert values(made.converted) == [1, Fraction(160, 220), Fraction(160, 240), Fraction(160, 240)]
    assert values(made.converted_weighted)[1:3] == [Fraction(160, 175), Fraction(160, 180)]
    assert values(made.open_value) == [80, 20, 0, 0]
    assert values(made.open_value_weighted) == [20, 5, 0, 0]
    found_ = [(s.month, s.signed, s.expected, s.booked, s.value, s.weighted) for s in made.signings]
    assert found_ == [
        ("2025-10", ("one",), (), money(40), 0, 0),
        ("2026-02", ("two",), ("three",), money(120), money(60), money(15)),
        ("2026-03", (), ("four",), 0, money(20), money(5)),
    ]  # fmt: skip
    assert "no file keeps" in made.notes[0]


def test_parts_of_all_series_add_up():
    made = found()
    for one in (made.multiple, made.multiple_of_free_weighted, made.converted, made.open_value):
        for _, after in pairwise(one.points):
            assert sum(part.value for part in after.parts) == (after.change or 0)


def test_without_contracts_nothing_is_converted():
    inputs = company(2)
    made = pipeline(inputs, run(inputs, Exact()))
    assert made.converted.points[0].unknown == "nothing was or is to be signed by then"
    assert made.signings == ()
