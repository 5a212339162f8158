"""`neocloud ledger backfill`: the difference first; then once, whatever is told again or dies."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result
from tests.books.invoices.shop import PRICES, TEXT, held, usage
from tests.books.metering import write_ledger

from neocloud.cli.export import command as export
from neocloud.cli.failure import Failure
from neocloud.cli.invoice import command as invoice
from neocloud.cli.ledger import command
from neocloud.ledger import Reader, Status
from neocloud.ledger.contents import contents_of

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "backfill.schema.json").read_text(encoding="utf-8")
)
TIERED = PRICES.replace("0.55", "0.55, tiers: [{above_mtok: 2, input: 0.1, output: 0.5}]")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with two million tokens of acme in each of two months, the first one closed.

    `other.db` is another ledger with all of it, and more.
    """
    text = TEXT.replace("ACME", "").replace("PRICES", TIERED)
    (tmp_path / "cloud.yaml").write_text(text)
    having = [usage(f"2025-0{month}-05", n) for month in (1, 2) for n in (0, 1)]
    write_ledger(tmp_path / "ledger.db", having)
    more = [
        usage("2025-01-20", 5),
        usage("2025-02-20", 6, output_tokens=7, cached_tokens=3),
        usage("2025-02-20", 7, tenant="rhein", emulated=True),
        usage("2025-02-21", 8, tenant="kyoto", status=Status.FAILED, input_tokens=0),
    ]
    spans = [held("2025-01-31T20:00:00Z", 8, 4), held("2025-02-03", 1, 4, "idle", tenant="")]
    write_ledger(tmp_path / "other.db", [*having, *more], spans)
    monkeypatch.chdir(tmp_path)
    asked = ["cloud.yaml", "--tenant", "acme", "--period", "2025-01", "--close"]
    CliRunner().invoke(invoice, asked, catch_exceptions=False)
    return tmp_path


def exported(name: str, records: str = "usage") -> Path:
    """A file of the other ledger."""
    form = name.rpartition(".")[2]
    asked = [form, "--ledger", "sqlite:///other.db", "--records", records, "--out", name]
    assert CliRunner().invoke(export, asked, catch_exceptions=False).exit_code == 0
    return Path(name)


def run(name: str, *arguments: str) -> Result:
    return CliRunner().invoke(
        command, ["backfill", "cloud.yaml", name, *arguments], catch_exceptions=False
    )


def shown(name: str, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(name, "--json", *arguments).stdout)
    jsonschema.validate(found, SCHEMA)
    return found


def refused(name: str, *arguments: str) -> str:
    before = contents_of(Reader(Path("ledger.db")))
    with pytest.raises(Failure) as failure:
        run(name, *arguments)
    assert contents_of(Reader(Path("ledger.db"))) == before
    return str(failure.value)


def held_now() -> Any:
    return contents_of(Reader(Path("ledger.db")))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_difference_is_shown_then_written_once_and_charged_as_the_dry_run_said(folder, form):
    name = str(exported(f"more.{form}"))
    before = held_now()
    dry = shown(name, "--dry-run")
    assert held_now() == before
    assert [dry[k] for k in ("records", "rows", "known", "new", "written")] == [
        "usage", 8, 4, 4, 0,
    ]  # fmt: skip
    by = {(e["tenant"], e["month"]): e for e in dry["effects"]}
    amounts = {
        key: [Decimal(e[name]) for name in ("before", "after", "difference", "billed")]
        for key, e in by.items()
    }
    # The third million of a month lies in the second tier, at 0.1; three of its tokens are cached,
    # whose price in that tier is that of input.
    assert amounts["acme", "2025-01"] == list(map(Decimal, ("0.52", "0.62", "0.1", "0.52")))
    assert amounts["acme", "2025-02"][2:] == [
        Decimal("0.1") - 3 * Decimal("0.0000001") + 3 * Decimal("0.00000005")
        + 7 * Decimal("0.00000055"),
        0,
    ]  # fmt: skip
    assert by["acme", "2025-01"]["closed"] is True
    assert (by["rhein", "2025-02"]["emulated"], by["acme", "2025-02"]["closed"]) == (True, False)
    assert by["kyoto", "2025-02"]["requests"] == 1
    done = shown(name)
    assert (done["written"], done["effects"]) == (4, dry["effects"])
    assert held_now() == contents_with(usage=8)
    again = shown(name)
    assert (again["known"], again["new"], again["written"], again["effects"]) == (8, 0, 0, [])
    asked = ["cloud.yaml", "--tenant", "acme", "--period", "2025-02", "--close", "--json"]
    made = json.loads(CliRunner().invoke(invoice, asked, catch_exceptions=False).stdout)
    (late,) = [line for line in made["lines"] if line["group"] == "corrections"]
    assert (late["month"], Decimal(late["exact"])) == ("2025-01", Decimal("0.1"))


def contents_with(**counts: int) -> Any:
    """What the ledger holds, which must be so many."""
    found = held_now()
    for name, count in counts.items():
        assert getattr(found, name) == count
    return found


def test_spans_come_in_by_month_and_text_tells_it(folder):
    name = str(exported("spans.csv", "allocation"))
    text = run(name, "--dry-run").stdout
    for part in ("2025-01", "16.000", "51.200000 USD", "correction", "month's invoice",
                 "2 rows of allocation, 2 of them new", "Nothing was written."):  # fmt: skip
        assert part in text
    assert "2 were written" in run(name).stdout
    assert held_now().allocation == 2


TWO = """\
  gpt:
    config: openai/gpt-oss-120b
    objective: {ttft_ms: 1000, tpot_ms: 40}
    price_per_mtok: {input: 1, output: 1}
"""
SIGNED = """\
contracts:
  - {name: rate, tenant: acme, start: 2025-01-01, term_months: 12, kind: provisioned, model: llama,
     tokens_per_s: 1000000, price: 0.5, currency: EUR}
"""


@pytest.mark.parametrize("both", [True, False])
def test_what_comes_counts_once_where_it_is_priced_in_two_currencies(folder, both):
    """Of acme llama is under a contract in EUR, and gpt at the list's USD."""
    text = Path("cloud.yaml").read_text().replace("tenants:\n", f"{TWO}tenants:\n") + SIGNED
    Path("cloud.yaml").write_text(text)
    events = [usage("2025-02-20", 5), usage("2025-02-20", 6, output_tokens=7)]
    events += [usage("2025-02-20", 7, model="gpt")] if both else []
    write_ledger(folder / "new.db", events)
    asked = ["csv", "--ledger", "sqlite:///new.db", "--records", "usage", "--out", "new.csv"]
    CliRunner().invoke(export, asked, catch_exceptions=False)
    effects = shown("new.csv", "--dry-run")["effects"]
    assert [(e["currency"], Decimal(e["difference"])) for e in effects] == [
        ("EUR", Decimal("1.0000035")),
        *([("USD", Decimal(1))] if both else []),
    ]
    counts = ("requests", "input_tokens", "output_tokens", "accelerator_hours")
    whole = [sum(Decimal(e[name]) for e in effects) for name in counts]
    assert whole == [len(events), 10**6 * len(events), 7, 0]


def test_columns_may_stand_in_any_order_and_a_row_twice(folder):
    lines = exported("more.csv").read_text().splitlines()
    turned = [",".join(reversed(line.split(","))) for line in lines]
    Path("turned.csv").write_text("\n".join([*turned, turned[-1]]) + "\n")
    found = shown("turned.csv", "--dry-run")
    assert (found["rows"], found["repeated"], found["new"]) == (9, 1, 4)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("acme,", "acne,", "tenant 'acne' is none of cloud.yaml"),
        ("llama,", "lama,", "model 'lama' is none of cloud.yaml"),
        (",1000000,", ",many,", "input_tokens: expected `int`"),
        (",1000000,", ",-1,", "input_tokens -1: from 0 to"),
        (",1000000,3,", ",1,3,", "cached_tokens are more than input_tokens"),
        ("completed", "done", "status: invalid enum value 'done'"),
        (",vllm,", ",vllm,,", " fields, where the head has "),
        ("request_id,", "id,", "has not the columns of any table of events"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(folder, old, new, told):
    text = exported("more.csv").read_text()
    head, rest = text.split("\n", 1)
    assert old in text
    wrong = text.replace(old, new) if old in head else f"{head}\n{rest.replace(old, new)}"
    Path("wrong.csv").write_text(wrong)
    message = refused("wrong.csv")
    assert told in message
    if old in rest:
        assert "wrong.csv, line " in message


def test_a_row_that_contradicts_the_ledger_or_the_file_is_told_and_nothing_is_written(folder):
    lines = exported("more.csv").read_text().splitlines()
    known, fresh = lines[1], lines[3]
    Path("known.csv").write_text(
        "\n".join([lines[0], known.replace(",1000000,", ",999999,"), *lines[2:]])
    )
    assert f"{known[:36]} are known to the ledger and differ" in refused("known.csv")
    assert "differ" in refused("known.csv", "--dry-run")
    Path("twice.csv").write_text("\n".join([*lines, fresh.replace(",1000000,", ",999999,")]))
    assert f"{fresh[:36]} stand in it twice and differ" in refused("twice.csv")


def test_what_is_under_way_in_a_gateway_is_left_to_it(folder):
    event = usage("2025-02-20", 6)
    write_ledger(folder / "ledger.db", [], still_open=[event])
    write_ledger(folder / "other.db", [event])
    assert "are under way in a gateway" in refused(str(exported("more.csv")))


def test_an_id_that_no_period_would_find_is_refused(folder):
    lines = exported("more.csv").read_text().splitlines()
    moved = lines[3].replace(lines[3][:8], "0194aaaa")
    Path("moved.csv").write_text(f"{lines[0]}\n{moved}\n")
    assert "is no UUIDv7 of the millisecond of admitted_ns" in refused("moved.csv")


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "text.parquet", "bytes.csv"])
def test_what_is_no_file_of_events_is_told(folder, name):
    Path("text.parquet").write_text("no parquet")
    Path("bytes.csv").write_bytes(b"\xff\xfe\x00")
    assert name in refused(name)


_KILLED = """
import os, signal, sys
from neocloud.cli.ledger import command
from neocloud.ledger import backfill, sqlite

backfill._ROWS = 7
left, plain = int(sys.argv[1]), sqlite.SqliteStore._open

def counted(statement):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

def connect(self):
    connection = plain(self)
    connection.set_trace_callback(counted)
    return connection

sqlite.SqliteStore._open = connect
command.main(["backfill", "cloud.yaml", "many.csv"], standalone_mode=False)
"""


def test_killed_on_the_way_it_goes_on_where_it_was(folder):
    events = [usage("2025-02-10", n, input_tokens=n) for n in range(40)]
    write_ledger(folder / "many.db", events)
    (folder / "many.db").rename(folder / "other.db")
    (folder / "other.db.segments").rename(folder / "old.segments")
    (folder / "many.db.segments").rename(folder / "other.db.segments")
    exported("many.csv")
    chance, died = random.Random(3), 0
    for _ in range(3):
        asked = [sys.executable, "-c", _KILLED, str(chance.randrange(4, 40))]
        status = subprocess.run(asked, cwd=folder, stdout=subprocess.DEVNULL, check=False)
        died += status.returncode == -signal.SIGKILL
    assert died > 0
    shown("many.csv")
    found = {e.request_id: e for e in Reader(folder / "ledger.db").usage()}
    assert {e.request_id: e for e in events}.items() <= found.items()
    assert len(found) == 44
