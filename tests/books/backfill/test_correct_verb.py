"""`neocloud ledger correct`: what was metered wrongly, from the file to the next invoice."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet
from tests.books.backfill.test_backfill_verb import SIGNED, TWO
from tests.books.invoices.shop import PRICES, TEXT, usage
from tests.books.journal.bean_check import bean_check
from tests.books.metering import write_ledger

from neocloud.cli.export import command as export
from neocloud.cli.failure import Failure
from neocloud.cli.invoice import command as invoice
from neocloud.cli.ledger import command
from neocloud.cli.reconcile import command as reconcile
from neocloud.ledger import Reader, RecordReader
from neocloud.ledger.contents import contents_of

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "correction.schema.json").read_text(encoding="utf-8")
)
WRONG = usage("2025-01-05", output_tokens=200)
EVENTS = [
    WRONG,
    usage("2025-01-06", 1),
    usage("2025-02-05", 2),
    usage("2025-02-06", 3, tenant="rhein", emulated=True),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with two months of acme, the first one closed."""
    (tmp_path / "cloud.yaml").write_text(TEXT.replace("ACME", "").replace("PRICES", PRICES))
    write_ledger(tmp_path / "ledger.db", EVENTS)
    monkeypatch.chdir(tmp_path)
    closed("2025-01")
    return tmp_path


def asked(verb: Any, *arguments: str) -> Result:
    return CliRunner().invoke(verb, arguments, catch_exceptions=False)


def closed(month: str, *more: str) -> dict[str, Any]:
    how = ["cloud.yaml", "--tenant", "acme", "--period", month, "--json", *more]
    made: dict[str, Any] = json.loads(asked(invoice, *how, "--close").stdout)
    return made


def corrections(*rows: str, head: str = "request_id,input_tokens,output_tokens,reason") -> str:
    Path("wrong.csv").write_text("\n".join([head, *rows]) + "\n")
    return "wrong.csv"


def shown(name: str, *arguments: str) -> dict[str, Any]:
    result = asked(command, "correct", "cloud.yaml", name, "--json", *arguments)
    found: dict[str, Any] = json.loads(result.stdout)
    jsonschema.validate(found, SCHEMA)
    return found


def reconciled() -> dict[str, Any]:
    result = asked(reconcile, "cloud.yaml", "--json")
    assert result.exit_code == 0
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def held_now() -> Any:
    return contents_of(RecordReader(Path("ledger.db")))


def test_the_difference_is_shown_then_an_adjustment_and_the_closed_month_stays(folder):
    before, first = held_now(), closed("2025-01")
    name = corrections(f"{WRONG.request_id},400000,100,the proxy counted twice")
    dry = shown(name, "--dry-run")
    assert held_now() == before
    assert [dry[k] for k in ("rows", "known", "new", "written")] == [1, 0, 1, 0]
    (effect,) = dry["effects"]
    assert (effect["tenant"], effect["month"], effect["closed"]) == ("acme", "2025-01", True)
    assert [effect[k] for k in ("requests", "input_tokens", "output_tokens")] == [1, -600000, -100]
    was = Decimal("0.52") + 200 * Decimal("0.00000055")
    less = Decimal("-0.156") - 100 * Decimal("0.00000055")
    amounts = [Decimal(effect[k]) for k in ("before", "after", "difference", "billed")]
    assert amounts == [was, was + less, less, was]
    done = shown(name, "--by", "auditor")
    assert (done["written"], done["effects"]) == (1, dry["effects"])
    again = shown(name)
    assert [again[k] for k in ("known", "new", "written", "effects")] == [1, 0, 0, []]
    (made,) = Reader(Path("ledger.db")).corrections()
    assert (made.made_by, made.reason) == ("auditor", "the proxy counted twice")

    found = reconciled()
    first_told = found["differences"][0]
    assert (first_told["level"], first_told["finding"]) == ("events", "corrected")
    assert made.correction_id in first_told["text"]
    assert not any(d["is_fault"] for d in found["differences"])
    assert (
        f"corrected  events     event {WRONG.request_id}" in asked(reconcile, "cloud.yaml").stdout
    )

    second = closed("2025-02")
    late = [line for line in second["lines"] if line["group"] == "corrections"]
    assert {line["month"] for line in late} == {"2025-01"}
    assert sum(Decimal(line["exact"]) for line in late) == less
    assert closed("2025-01") == first
    assert reconciled()["differences"] == []


def test_focus_and_journal_go_along(folder):
    shown(corrections(f"{WRONG.request_id},400000,100,twice"))
    second = closed("2025-02")
    asked(export, "focus", "cloud.yaml", "--period", "2025-02", "--out", "focus")
    with next(Path("focus").glob("*ost*sage*.csv")).open(newline="") as file:
        billed = sum(Decimal(row["BilledCost"]) for row in csv.DictReader(file))
    assert billed == Decimal(second["total"])
    asked(export, "beancount", "cloud.yaml", "--out", "books.beancount")
    assert "Income:Revenue:Llama:USD  -0.624055" in Path("books.beancount").read_text()
    assert bean_check(Path("books.beancount")) == ""


def test_of_an_open_month_the_invoice_is_right_from_the_start(folder):
    found = shown(corrections(f"{EVENTS[2].request_id},1000,0,twice"))
    (effect,) = found["effects"]
    assert (effect["closed"], Decimal(effect["billed"])) == (False, 0)
    made = closed("2025-02")
    assert [line["group"] for line in made["lines"]].count("corrections") == 0
    assert sum(Decimal(line["exact"]) for line in made["lines"]) == Decimal("0.00026")
    assert reconciled()["differences"] == []


def test_a_status_alone_may_be_corrected_and_back(folder):
    head = "request_id,status,reason"
    found = shown(corrections(f"{WRONG.request_id},failed,it broke off", head=head))
    (effect,) = found["effects"]
    assert (effect["input_tokens"], Decimal(effect["after"])) == (0, Decimal("0.26"))
    assert not any(d["is_fault"] for d in reconciled()["differences"])
    closed("2025-02")
    assert reconciled()["differences"] == []
    shown(corrections(f"{WRONG.request_id},completed,it did not", head=head))
    third = closed("2025-03")
    assert Decimal(third["subtotal"]) == Decimal("0.26")
    assert reconciled()["differences"] == []


def test_emulated_use_is_corrected_and_never_charged(folder):
    name = corrections(f"{EVENTS[3].request_id},5,5,twice")
    assert "never: emulated" in asked(command, "correct", "cloud.yaml", name).stdout
    wrong = corrections(f"{EVENTS[3].request_id},5,twice,false",
                        head="request_id,input_tokens,reason,emulated")  # fmt: skip
    with pytest.raises(Failure, match=r"wrong.csv, line 2: .* was emulated and stays so"):
        shown(wrong)


def test_what_was_tampered_with_is_a_fault_beside_many_corrections(folder):
    """More corrections than a seal can tell one by one hide nothing else."""
    events = [usage("2025-03-05", n, input_tokens=1000) for n in range(400)]
    write_ledger(folder / "ledger.db", events)
    closed("2025-02")
    closed("2025-03")
    shown(corrections(*(f"{e.request_id},900,0,twice" for e in events[:300])))
    found = reconciled()
    assert found["differences"][0]["finding"] == "corrected"
    assert found["differences"][0]["tokens"] == -30_000
    gone = events[350].request_id
    for file in (folder / "ledger.db.segments").rglob("*.log"):
        file.unlink()
    kept = [e for e in (*EVENTS, *events) if e.request_id != gone]
    write_ledger(folder / "ledger.db", kept)
    result = asked(reconcile, "cloud.yaml", "--json")
    faults = [d for d in json.loads(result.stdout)["differences"] if d["is_fault"]]
    assert result.exit_code == 1
    assert (faults[0]["subject"], faults[0]["finding"]) == (gone, "missing")


def test_parquet_may_leave_out_what_stays_row_by_row(folder):
    rows = {
        "request_id": [WRONG.request_id, EVENTS[1].request_id],
        "input_tokens": [400_000, None],
        "status": [None, "failed"],
        "reason": ["twice", "it broke off"],
    }
    parquet.write_table(pa.table(rows), "wrong.parquet")
    (effect,) = shown("wrong.parquet")["effects"]
    assert (effect["requests"], effect["input_tokens"]) == (2, -600_000)
    rows["input_tokens"] = [0.5, None]
    parquet.write_table(pa.table(rows), "wrong.parquet")
    with pytest.raises(Failure, match=r"wrong.parquet, row 1: input_tokens: 0.5 is no whole"):
        shown("wrong.parquet")


def test_an_auditor_has_files_of_both(folder):
    shown(corrections(f"{WRONG.request_id},400000,100,twice"))
    for name, more in (("now", ()), ("then", ("--as-recorded",)), ("made", ())):
        kind = "corrections" if name == "made" else "usage"
        asked(export, "csv", "cloud.yaml", "--records", kind, "--out", f"{name}.csv", *more)
    (made,) = Reader(Path("ledger.db")).corrections()
    assert f",{made.correction_id},default\n" in Path("now.csv").read_text()
    assert made.correction_id not in Path("then.csv").read_text()
    how = ["parquet", "cloud.yaml", "--records", "corrections", "--out", "made.parquet"]
    asked(export, *how)
    for form in ("csv", "parquet"):
        again = shown(f"made.{form}")
        assert [again[k] for k in ("known", "new")] == [1, 0]
    before = held_now()
    asked(command, "backfill", "cloud.yaml", "then.csv")
    for name, told in (("now", "it was corrected by"), ("made", "ledger correct")):
        with pytest.raises(Failure, match=told):
            asked(command, "backfill", "cloud.yaml", f"{name}.csv")
    assert held_now() == before


def test_what_is_corrected_counts_once_where_it_is_priced_in_two_currencies(folder):
    """Of acme llama is under a contract in EUR from the second month on, and gpt at the list."""
    text = Path("cloud.yaml").read_text().replace("tenants:\n", f"{TWO}tenants:\n")
    Path("cloud.yaml").write_text(text + SIGNED)
    other = usage("2025-03-06", 5, model="gpt")
    write_ledger(folder / "ledger.db", [usage("2025-03-05", 4), other])
    found = shown(corrections(f"{other.request_id},400000,100,counted twice"), "--dry-run")
    counts = ("requests", "input_tokens", "output_tokens")
    assert [sum(e[name] for e in found["effects"]) for name in counts] == [1, -600000, 100]
    assert {e["currency"]: Decimal(e["difference"]) for e in found["effects"]} == {
        "EUR": 0,
        "USD": Decimal("-0.5999"),
    }
