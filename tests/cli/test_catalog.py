"""`neocloud catalog` as a user meets it: what it shows, with which source, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from neocloud.catalog import load_catalog

CATALOG = load_catalog()
PLAIN = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "160"}
KINDS = ("accelerators", "models", "metros", "power", "prices")


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the verb as a user does; whatever happens, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", "catalog", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=60, env=PLAIN,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def shown(*arguments: str, cwd: Path | None = None) -> str:
    done = run(*arguments, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    assert "…" not in done.stdout, "something was cut off"
    return done.stdout


def read(*arguments: str) -> object:
    return json.loads(shown(*arguments, "--json"))


def facts(*arguments: str) -> dict[str, dict[str, object]]:
    sheet = read(*arguments)
    assert isinstance(sheet, dict)
    for fact in sheet["facts"]:
        assert not fact["source"] or fact["source"] in sheet["sources"], fact
        assert fact["source"] or fact["grade"] in {"", "derived"}, fact
    return {fact["name"]: fact for fact in sheet["facts"]}


def line_of(text: str, first: str) -> str:
    """The line whose first cell is `first`; of several, the first."""
    return next(line for line in text.splitlines() if line.strip().startswith(f"{first}  "))


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("accelerators", len(CATALOG.accelerators)),
        ("models", len(CATALOG.architecture_names())),
        ("metros", len(CATALOG.metros)),
        ("power", len(CATALOG.power_markets)),
        ("prices", len(CATALOG.rental_ranges)),
    ],
)
def test_every_kind_is_listed_in_full(kind: str, count: int) -> None:
    listed = read(kind)
    assert isinstance(listed, list)
    assert len(listed) == count
    assert len(shown(kind).splitlines()) > count


def test_the_list_marks_kinds_that_nobody_measured() -> None:
    text = shown("accelerators")
    for key, chip in CATALOG.accelerators.items():
        assert ("not measured" in line_of(text, key)) == (not chip.measured)


def test_an_accelerators_figures_have_source_and_date() -> None:
    text = shown("accelerators", "h100-sxm")
    for start, parts in {
        "memory": ("80", "GB", "published", "aiconfigurator", "2026"),
        "memory bandwidth": ("3350", "GB/s"),
        "bf16, dense": ("989", "TFLOP/s", "halved"),
        "network, one way": ("50", "GB/s", "dgx-h100-guide"),
        "power, all in": ("1730", "W", "inferencex", "2026-04"),
        "rental on demand median": ("USD/h", "derived", "sellers"),
    }.items():
        line = line_of(text, start)
        assert all(part in line for part in parts), line
    assert "NVIDIA AIConfigurator" in text
    assert facts("accelerators", "h100-sxm")["memory_bytes"]["value"] == 80e9


def test_an_unknown_figure_says_why() -> None:
    power = facts("accelerators", "tpu-v6e")["tdp_w"]
    assert (power["value"], power["grade"], power["note"]) == (None, "unknown", "not published")
    assert "unknown" in line_of(shown("accelerators", "tpu-v6e"), "board power")
    assert facts("accelerators", "tpu-v6e")["measured"]["value"] is False


def test_a_models_numbers_come_from_its_configuration() -> None:
    text = shown("models", "openai/gpt-oss-120b")
    assert "116,829,156,672" in line_of(text, "parameters")
    assert "sliding" in line_of(text, "attention")
    found = facts("models", "openai/gpt-oss-120b")
    assert found["parameters"]["value"] == 116_829_156_672
    assert found["parameters"]["source"] == "hf-configs"


def test_a_configuration_of_ones_own_has_no_source_of_ours(tmp_path: Path) -> None:
    own = tmp_path / "config.json"
    own.write_text(
        json.dumps({
            "model_type": "llama", "hidden_size": 512, "num_hidden_layers": 2,
            "num_attention_heads": 8, "num_key_value_heads": 2, "intermediate_size": 1024,
            "vocab_size": 1000, "max_position_embeddings": 2048,
        })
    )  # fmt: skip
    text = shown("models", "config.json", cwd=tmp_path)
    assert "hf-configs" not in text
    assert "2048" in line_of(text, "max context")


@pytest.mark.parametrize(
    ("one", "other", "how", "source"),
    [
        ("frankfurt", "washington", "measured", "wonderproxy"),
        ("beijing", "frankfurt", "neighbour", "wonderproxy"),
        ("kinshasa", "sydney", "model", "rtt-model"),
        ("frankfurt", "frankfurt", "assumed", "same-metro"),
    ],
)
def test_a_round_trip_says_how_it_is_known(one: str, other: str, how: str, source: str) -> None:
    trip = facts("metros", one, "--to", other)[f"round_trip {other}"]
    assert (trip["grade"], trip["source"], trip["unit"]) == (how, source, "ms")
    assert trip["value"] == CATALOG.round_trip(one, other).ms
    assert how in line_of(shown("metros", one, "--to", other), f"round trip {other}")


def test_a_metro_alone_is_shown_with_its_nearest_markets() -> None:
    found = facts("metros", "berlin")
    trips = [name for name in found if name.startswith("round_trip")]
    assert trips == [f"round_trip {metro}" for metro in CATALOG.nearest_markets("berlin", 8)]


def test_power_has_a_price_a_carbon_figure_and_their_hours() -> None:
    text = shown("power", "frankfurt")
    assert "91" in line_of(text, "price")
    assert "ember-wholesale" in line_of(text, "price")
    assert "electricity-maps-hourly" in line_of(text, "carbon shape")
    assert len([line for line in text.splitlines() if line.strip()[:2].isdigit()]) == 24
    sheet = read("power", "frankfurt")
    assert isinstance(sheet, dict)
    assert {len(hours) for hours in sheet["shapes"]["carbon_shape"].values()} == {24}


def test_prices_of_an_accelerator_a_provider_and_a_model() -> None:
    text = shown("prices", "b200-sxm")
    assert "36 months" in text
    assert "month by month" in text
    assert "gpu-pricing-tracker" in text
    assert "h100-sxm" in shown("prices", "nebius")
    sellers = {offer.provider for offer in CATALOG.prices("openai/gpt-oss-20b").tokens}
    text = shown("prices", "openai/gpt-oss-20b")
    assert all("gpt-oss-20b" in line_of(text, seller) for seller in sellers)


def test_money_is_exact_in_json() -> None:
    found = read("prices", "h100-sxm")
    assert isinstance(found, dict)
    first = found["rentals"][0]
    assert isinstance(first["median"], str)
    assert Decimal(first["median"]) == CATALOG.prices("h100-sxm").rentals[0].median
    assert {r["source"] for r in found["rentals"]} <= set(found["sources"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("accelerators", "h100"), "nearest: h100-sxm"),
        (("models", "gpt-oss-120"), "openai/gpt-oss-120b"),
        (("metros", "frankfort"), "nearest: frankfurt"),
        (("metros", "frankfurt", "--to", "pariss"), "nearest: paris"),
        (("metros", "--to", "paris"), "neocloud catalog metros NAME --to OTHER"),
        (("power", "hamburg"), "copenhagen"),
        (("prices", "h100-sxn"), "nearest: h100-sxm"),
        (("nothing",), "No such command 'nothing'"),
    ],
)
def test_a_wrong_name_ends_with_2_and_the_nearest(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr


def test_help_reads_no_table() -> None:
    """Neither the help of all verbs nor that of this one opens a file of the catalog."""
    program = (
        "import sys\n"
        "from neocloud.cli.main import cli\n"
        "import neocloud\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: event == 'open' and opened.append(str(args[0])))\n"
        "cli.main(sys.argv[1:], standalone_mode=False)\n"
        "held = [name for name in opened if 'catalog/data' in name]\n"
        "assert not held, held\n"
    )
    for arguments in (("--help",), ("catalog", "--help"), ("catalog", "prices", "--help")):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
    bare = "import sys; import neocloud.cli.main; assert 'neocloud.catalog' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", bare], timeout=60).returncode == 0
