"""Use of several service tiers, from the ledger to invoice, FOCUS and reconciliation."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.books.metering import write_ledger

from neocloud.cli.export import command as export
from neocloud.cli.invoice import command as invoice
from neocloud.cli.reconcile import command as reconcile
from neocloud.cli.usage import command as used

from .shop import PRICES, TEXT, usage

PRICED = (
    "pricing:\n  adjustments: [{name: may-wait, change: -0.5, service_tiers: flex}, "
    "{name: urgent, change: 0.75, service_tiers: [priority]}]\n"
)
TIERS = ("default", "flex", "priority")
EVENTS = [usage("2025-01-05", n, service_tier=tier) for n, tier in enumerate(TIERS)]


def asked(verb: Any, *arguments: str) -> Result:
    return CliRunner().invoke(verb, ["cloud.yaml", *arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    text = TEXT.replace("ACME", "").replace("PRICES", PRICES).replace("pricing:\n", PRICED)
    (tmp_path / "cloud.yaml").write_text(text)
    write_ledger(tmp_path / "ledger.db", EVENTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_tier_has_a_line_and_a_charge_of_its_own(folder):
    close = ["--tenant", "acme", "--period", "2025-01", "--close", "--json"]
    made = json.loads(asked(invoice, *close).stdout)
    amounts = {tuple(line["adjustments"]): Decimal(line["exact"]) for line in made["lines"]}
    assert amounts == {
        (): Decimal("0.26"), ("may-wait",): Decimal("0.13"), ("urgent",): Decimal("0.455"),
    }  # fmt: skip
    assert sum("may-wait" in line["text"] for line in made["lines"]) == 1
    CliRunner().invoke(
        export, ["focus", "cloud.yaml", "--period", "2025-01", "--out", "focus"],
        catch_exceptions=False,
    )  # fmt: skip
    with next(Path("focus").glob("*ost*sage*.csv")).open(newline="") as file:
        tags = [json.loads(row["Tags"] or "{}") for row in csv.DictReader(file)]
    found = {(t.get("neocloud:service_tier"), t.get("neocloud:adjustments")) for t in tags}
    assert {(None, None), ("flex", "may-wait"), ("priority", "urgent")} == found
    assert asked(reconcile).exit_code == 0


def test_a_tier_that_was_changed_since_is_named(folder):
    asked(invoice, "--tenant", "acme", "--period", "2025-01", "--close")
    for file in (folder / "ledger.db.segments").rglob("*.log"):
        file.unlink()
    write_ledger(folder / "ledger.db", [*EVENTS[:2], usage("2025-01-05", 2)])
    result = asked(reconcile, "--json")
    fault = json.loads(result.stdout)["differences"][0]
    assert (result.exit_code, fault["level"], fault["finding"]) == (1, "events", "different")
    assert fault["subject"] == EVENTS[2].request_id


def test_usage_is_told_apart_by_tier(folder):
    found = json.loads(asked(used, "--by", "service_tier", "--json").stdout)
    assert [(line["service_tier"], line["requests"]) for line in found["lines"]] == [
        (tier, 1) for tier in TIERS
    ]
