"""Accelerators: every kind that is asked for, dense rates, links, power, and what was measured."""

from __future__ import annotations

import pytest

from neocloud.catalog import Accelerator, Grade, MissingFigureError, load_catalog

CATALOG = load_catalog()
KINDS = CATALOG.accelerators

ASKED_FOR = {
    "a100-sxm-40gb", "a100-sxm-80gb", "l40s", "l4", "h100-sxm", "h100-pcie", "h100-nvl", "h200-sxm",
    "h200-nvl", "gh200", "b200-sxm", "b300-sxm", "gb200-nvl72", "gb300-nvl72",
    "rtx-pro-6000-server", "mi300x", "mi325x", "mi350x", "mi355x", "tpu-v5e", "tpu-v5p", "tpu-v6e",
    "tpu7x", "gaudi-3", "trainium2", "trainium3",
}  # fmt: skip
MEASURED = {
    "a100-sxm-40gb", "a100-sxm-80gb", "ascend-910b2", "b200-sxm", "b300-sxm", "gb200-nvl72",
    "gb300-nvl72", "gh200", "h100-nvl", "h100-pcie", "h100-sxm", "h20-3e", "h200-nvl", "h200-sxm",
    "l4", "l40s", "mi300x", "mi325x", "mi350x", "mi355x", "rtx-6000-ada", "rtx-a6000",
    "rtx-pro-6000-server",
}  # fmt: skip
"""Kinds of which the published tables of end-to-end results have a row."""


def test_every_kind_that_is_asked_for_is_there() -> None:
    assert set(KINDS) >= ASKED_FOR | MEASURED


def test_kinds_that_nobody_measured_are_marked() -> None:
    assert {key for key, chip in KINDS.items() if chip.measured} == MEASURED
    for chip in KINDS.values():
        if chip.generation in {"tpu", "gaudi", "trainium"}:
            assert not chip.measured


@pytest.mark.parametrize("chip", KINDS.values(), ids=list(KINDS))
def test_what_a_prediction_needs_is_known(chip: Accelerator) -> None:
    assert 1e10 < chip.memory_bytes.known("memory") < 1e12
    assert 1e11 < chip.memory_bytes_per_s.known("bandwidth") < 1e14
    assert 1e13 < chip.flops["bf16"].known("bf16") < 1e16
    assert set(chip.flops) == {"bf16", "fp8", "fp4", "int8"}
    assert chip.scale_up_bytes_per_s.known("link") >= 3e10
    assert 1e9 < chip.scale_out_bytes_per_s.known("network") <= 1e11
    assert chip.scale_out_bytes_per_s.known("network") <= chip.scale_up_bytes_per_s.known("link")


@pytest.mark.parametrize("chip", KINDS.values(), ids=list(KINDS))
def test_power_adds_up_from_board_to_rack(chip: Accelerator) -> None:
    board, node = chip.tdp_w.value, chip.node_power_w.value
    if board is None:
        assert chip.tdp_w.grade is Grade.UNKNOWN
        assert node is None
        assert chip.rack_power_w.value is None
        return
    assert node is not None
    share = node / chip.node_accelerators
    assert board < share < board + 2000
    if chip.all_in_power_w.value is not None:
        assert chip.all_in_power_w.value > share
    rack = chip.rack_power_w.known("a rack")
    assert node <= rack < 150_000


def test_racks_of_72_are_their_own_node_and_cooled_by_water() -> None:
    for key, watts in (("gb200-nvl72", 120_000), ("gb300-nvl72", 132_000)):
        chip = CATALOG.accelerator(key)
        assert chip.node_power_w.value == chip.rack_power_w.value == watts
        assert chip.scale_up_domain == chip.node_accelerators == 72
        assert chip.liquid_cooled
    assert CATALOG.accelerator("mi355x").liquid_cooled
    assert not CATALOG.accelerator("mi350x").liquid_cooled


@pytest.mark.parametrize(
    ("key", "number_format", "tflops"),
    [
        ("a100-sxm-80gb", "bf16", 312),  # 624 with sparsity
        ("h100-sxm", "fp8", 1979),  # 3,958
        ("h100-nvl", "bf16", 835),  # 1,671
        ("b200-sxm", "fp8", 4500),  # 9,000
        ("b200-sxm", "fp4", 9000),  # 18,000
        ("rtx-6000-ada", "fp8", 728.5),  # 1,457
        ("mi355x", "fp4", 10_066),  # 20,100
        ("trainium2", "fp8", 1299),  # 2,563
        ("tpu-v6e", "int8", 1836),
    ],
)
def test_rates_are_dense(key: str, number_format: str, tflops: float) -> None:
    rate = CATALOG.accelerator(key).flops[number_format].known(number_format)
    assert rate == pytest.approx(tflops * 1e12, rel=0.01)


@pytest.mark.parametrize("chip", KINDS.values(), ids=list(KINDS))
def test_doubling_of_rates_by_halving_of_formats(chip: Accelerator) -> None:
    """No rate is over four times that of twice the bits: a sparse figure among dense ones is."""
    bf16, fp8, fp4 = (chip.flops[name].value for name in ("bf16", "fp8", "fp4"))
    for wide, narrow in ((bf16, fp8), (fp8, fp4)):
        if wide is not None and narrow is not None:
            assert 1 <= narrow / wide < 4


def test_links_are_one_way_and_full_meshes_marked() -> None:
    assert CATALOG.accelerator("h100-sxm").scale_up_bytes_per_s.value == 450e9
    assert CATALOG.accelerator("tpu-v6e").scale_up_bytes_per_s.value == 400e9
    meshes = {key for key, chip in KINDS.items() if chip.full_mesh}
    assert meshes == {"mi300x", "mi325x", "mi350x", "mi355x", "gaudi-3", "ascend-910b2"}


def test_disagreements_are_told() -> None:
    notes = {
        ("b200-sxm", "memory_bytes_per_s"): "8.0 TB/s",
        ("b300-sxm", "memory_bytes"): "288.4",
        ("rtx-pro-6000-server", "memory_bytes_per_s"): "1,792",
        ("mi355x", "scale_up_bytes_per_s"): "576",
        ("gb300-nvl72", "rack_power_w"): "142 kW",
        ("ascend-910b2", "tdp_w"): "310",
    }
    for (key, name), told in notes.items():
        assert told in getattr(CATALOG.accelerator(key), name).note


def test_figures_from_memory_are_graded_as_assumed() -> None:
    for chip in KINDS.values():
        for figure in (
            chip.memory_bytes,
            chip.memory_bytes_per_s,
            chip.tdp_w,
            *chip.flops.values(),
        ):
            if figure.source == "recalled-sheets":
                assert figure.grade is Grade.ASSUMED
                assert "not re-read" in figure.note


def test_an_unknown_price_is_an_error_that_names_it() -> None:
    with pytest.raises(MissingFigureError, match="price of a TPU is not known"):
        CATALOG.accelerator("tpu-v6e").capex_usd.known("price of a TPU")
