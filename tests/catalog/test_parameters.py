"""Counts of weights agree with the publishers': `parameters.csv`, a sourced row a published figure.

A row holds the figure as published, half of its last digit (`rounding`), and what it counts beside
the text model: `mtp` for the draft layers, `copies` where the checkpoint stores embedding and head
again for them, `vision=N` for a tower whose size is published too. An active count may have the
embedding or lack the head.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from neocloud.catalog import Architecture, load_catalog

CATALOG = load_catalog()
PUBLISHED = list(csv.DictReader((Path(__file__).parent / "parameters.csv").open()))
UNPUBLISHED = {"Qwen/Qwen3-32B-FP8-Static-PerTensor"}
"""Quantised by a third party from a model that has a row."""


def beside(found: Architecture, includes: str) -> float:
    """Weights that the published figure counts beside the text model."""
    parts: dict[str, float] = {
        "mtp": found.mtp_parameters,
        "copies": found.embedding_parameters + found.head_parameters,
    }
    return sum(
        float(part.removeprefix("vision=")) if part.startswith("vision=") else parts[part]
        for part in includes.split()
    )


def agrees(counted: float, published: str, rounding: str) -> bool:
    """Within 1% of what the published digits can stand for."""
    figure = float(published)
    return abs(counted - figure) <= 0.01 * figure + float(rounding)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['model']}-{row['parameters']}")
def test_parameters_equal_the_published_count(row: dict[str, str]) -> None:
    assert row["source"]
    found = CATALOG.architecture(row["model"])
    counted = found.parameters + beside(found, row["includes"])
    assert agrees(counted, row["parameters"], row["rounding"]), counted


@pytest.mark.parametrize(
    "row",
    [row for row in PUBLISHED if row["active"]],
    ids=lambda row: f"{row['model']}-{row['active']}",
)
def test_active_parameters_equal_the_published_count(row: dict[str, str]) -> None:
    found = CATALOG.architecture(row["model"])
    counted = (
        found.active_parameters
        + {
            "": 0,
            "embedding": found.embedding_parameters,
            "-head": -found.head_parameters,
        }[row["active_includes"]]
    )
    assert agrees(counted, row["active"], row["active_rounding"]), counted


def test_nearly_all_totals_are_within_one_per_cent_of_the_digits_themselves() -> None:
    coarse = set()
    for row in PUBLISHED:
        found = CATALOG.architecture(row["model"])
        counted = found.parameters + beside(found, row["includes"])
        if not agrees(counted, row["parameters"], "0"):
            coarse.add((row["model"], row["parameters"]))
    # One or two digits, or (Kimi K2) a report that says 1.04T of the same 1.026T.
    assert coarse == {
        ("Qwen/Qwen3-1.7B", "1.7e9"), ("Qwen/Qwen3-VL-2B-Instruct", "2e9"),
        ("Qwen/Qwen3-VL-4B-Instruct", "4e9"), ("Qwen/Qwen3-VL-8B-Instruct", "9e9"),
        ("deepseek-ai/DeepSeek-V4-Pro", "1.6e12"), ("moonshotai/Kimi-K2-Instruct", "1.04e12"),
        ("moonshotai/Kimi-K2.5", "1e12"),
    }  # fmt: skip


def test_safetensors_counts_are_met_exactly() -> None:
    exact = [row for row in PUBLISHED if row["source"].startswith("safetensors count")]
    assert len(exact) == 4
    for row in exact:
        assert CATALOG.architecture(row["model"]).parameters == int(row["parameters"])


def test_every_model_of_the_catalog_has_a_published_count() -> None:
    named = {row["model"] for row in PUBLISHED}
    assert set(CATALOG.architecture_names()) - named == UNPUBLISHED


def test_draft_layers_by_their_publisher() -> None:
    found = CATALOG.architecture("deepseek-ai/DeepSeek-V3")
    assert found.mtp_layers == 1
    # README_WEIGHTS of DeepSeek-V3: 11.5B unique parameters, without the shared embedding and head.
    assert found.mtp_parameters == pytest.approx(11.5e9, rel=0.01)
    assert CATALOG.architecture("stepfun-ai/Step-3.7-Flash").mtp_layers == 3
    assert CATALOG.architecture("moonshotai/Kimi-K2-Instruct").mtp_parameters == 0
