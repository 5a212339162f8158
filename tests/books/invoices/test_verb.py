"""`neocloud invoice` as a user meets it, and killed at any moment."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from neocloud.books.accounts import AccountKind, SqliteBooks
from neocloud.books.invoices import presented
from neocloud.cli.failure import Failure
from neocloud.cli.invoice import command
from neocloud.units import PICO

from ..metering import write_ledger  # noqa: TID252  (one way to fill a ledger)
from .shop import PRICES, TEXT, usage

KILLS = 15
MONTHS = [f"{year}-{month:02d}" for year in (2024, 2025) for month in range(1, 13)]

# For each `MONTH NUMBER` that it reads: a child closes the month, and ends itself like a kill -9
# before the statement of SQLite of that number. Told is how it ended, and the statements left.
_KILLED = """
import os, signal, sys
from pathlib import Path
from neocloud.books.accounts import sqlite
from neocloud.cli.invoice import command

plain = sqlite.SqliteBooks._connect

def close(month, left, told):
    def counted(statement):
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def connect(self):
        connection = plain(self)
        connection.set_trace_callback(counted)
        return connection

    sqlite.SqliteBooks._connect = connect
    asked = ["cloud.yaml", "--tenant", "acme", "--period", month, "--close", "--pdf", "a.pdf"]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    command.main(asked, standalone_mode=False)
    os.write(told, str(left).encode())
    os._exit(0)

for line in sys.stdin:
    month, number = line.split()
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        close(month, int(number), told)
    os.close(told)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), os.read(heard, 100).decode() or "-", flush=True)
    os.close(heard)
"""


def invoice(*arguments: str) -> Result:
    """What the verb does in the current folder."""
    return CliRunner().invoke(command, ["cloud.yaml", *arguments])


def made(*arguments: str) -> dict[str, Any]:
    """The document that the verb prints."""
    done = invoice(*arguments, "--json")
    assert (done.exit_code, done.stderr) == (0, ""), done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cloud file and a ledger with a request of acme in each of 24 months."""
    prepaid = ", prepaid_credits: [{name: top-up, amount: 1, date: 2024-01-01}]"
    text = TEXT.replace("ACME", prepaid).replace("PRICES", PRICES)
    (tmp_path / "cloud.yaml").write_text(text)
    events = [usage(f"{m}-05", n, output_tokens=1000 * n) for n, m in enumerate(MONTHS)]
    events.append(usage("2024-01-06", 99, tenant="rhein", emulated=True))
    write_ledger(tmp_path / "ledger.db", events)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_preview_close_forms_and_credit(folder: Path):
    preview = made("--tenant", "acme", "--period", "2024-01")
    assert (preview["kind"], preview["number"]) == ("preview", None)
    assert not (folder / "ledger.db.books").exists()
    closing = ("--tenant", "acme", "--period", "2024-01", "--close")
    first = made(*closing, "--html", "a.html", "--pdf", "a.pdf")
    assert (first["kind"], first["number"]) == ("invoice", "SHOP-000001")
    assert "SHOP-000001" in (folder / "a.html").read_text()
    assert (folder / "a.pdf").read_bytes().startswith(b"%PDF")
    assert made(*closing) == first == made(*closing[:4])
    note = made("--credit", "SHOP-000001", "--reason", "Wrong address")
    assert (note["kind"], note["number"]) == ("credit_note", "SHOP-CN-000001")
    taken_back = ("--credit", "SHOP-000001", "--reason", "Wrong address")
    assert made(*taken_back) == note
    for other in ((*taken_back, "--bill-again"), (*taken_back[:3], "Twice")):
        refused = str(invoice(*other).exception)
        assert "already by SHOP-CN-000001" in refused
        assert "(Wrong address). What it charged will not be charged again." in refused
    done = invoice("--tenant", "rhein", "--period", "2024-01", "--close")
    assert "SPECIMEN" in done.stdout
    assert done.stderr.startswith("Nothing was closed or issued: 1 of 1 requests")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give --tenant"),
        (("--tenant", "acm"), "Nearest: acme"),
        (("--tenant", "acme", "--close"), "--close needs --period and a calendar month"),
        (("--tenant", "acme", "--close", "--period", "2024-01-05"), "a calendar month"),
        (("--tenant", "acme", "--close", "--period", "2199-01"), "can be closed from 2199-02-04"),
        (("--tenant", "acme", "--begin"), "--begin goes with --close"),
        (("--tenant", "acme", "--reason", "x"), "go with --credit"),
        (("--credit", "SHOP-000001"), "--credit needs --reason"),
        (("--credit", "SHOP-000001", "--reason", "x", "--close"), "leave out"),
        (("--credit", "SHOP-000001", "--reason", "x"), "none was issued"),
        (("--tenant", "acme", "--pdf", "none/a.pdf"), "none/a.pdf cannot be written"),
    ],
)
def test_wrong_use_says_what_to_do(folder: Path, arguments, message):
    done = invoice(*arguments)
    assert isinstance(done.exception, Failure)
    assert done.exception.status == 2
    assert done.stdout == ""
    assert message in str(done.exception)


def test_the_first_month_to_be_closed_leaves_none_behind_unless_it_is_told_to(folder: Path):
    """No month can be closed after a later one: what it holds would never be billed."""
    march = ("--tenant", "acme", "--period", "2024-03", "--close")
    refused = invoice(*march)
    assert isinstance(refused.exception, Failure)
    assert "2024-01 of acme holds something to bill" in str(refused.exception)
    assert not (folder / "ledger.db.books").exists()
    assert made(*march, "--begin")["number"] == "SHOP-000001"
    left = made("--tenant", "acme", "--period", "2024-01")
    assert (left["kind"], len(left["lines"]), left["subtotal"]) == ("preview", 1, "0.26")
    assert "no invoice will bill it" in left["notes"][-1]
    assert made("--tenant", "acme", "--period", "2024-04", "--close")["number"] == "SHOP-000002"


def test_a_month_before_with_nothing_to_bill_is_no_reason_to_wait(folder: Path):
    """Emulated use of January is never billed; of acme's it is no matter."""
    write_ledger(folder / "ledger.db", [usage("2024-02-05", 300, tenant="rhein")])
    assert made("--tenant", "rhein", "--period", "2024-02", "--close")["number"] == "SHOP-000001"


def test_a_contract_is_something_to_bill_from_where_the_ledger_begins(folder: Path):
    text = (folder / "cloud.yaml").read_text()
    contract = ("contracts: [{name: held, tenant: kyoto, accelerator: h100-sxm, accelerators: 1, "
                "price: 2, start: 2023-01-01, term_months: 36}]")  # fmt: skip
    (folder / "cloud.yaml").write_text(f"{text}{contract}\n")
    refused = invoice("--tenant", "kyoto", "--period", "2024-02", "--close")
    assert "2024-01 of kyoto holds something to bill" in str(refused.exception)
    assert made("--tenant", "kyoto", "--period", "2024-01", "--close")["subtotal"] == "232500"


def counted(path: Path) -> tuple[int, int]:
    """Documents and closed months."""
    books = SqliteBooks(path)
    found = len(list(books.documents())), len(list(books.closed()))
    books.close()
    return found


@pytest.mark.slow
def test_killed_at_any_moment_a_month_is_closed_once(folder: Path):
    """The process dies before one of its statements, or of its commit; closing again finishes."""
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED],
        cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as killer:  # fmt: skip

        def kill(month: str, number: int) -> tuple[int, str]:
            assert killer.stdin is not None
            assert killer.stdout is not None
            killer.stdin.write(f"{month} {number}\n")
            killer.stdin.flush()
            status, left = killer.stdout.readline().split()
            return int(status), left

        status, left = kill(MONTHS[0], 10**6)
        assert status == 0
        statements = 10**6 - int(left)
        assert statements > 20
        rng = random.Random(7)
        path = folder / "ledger.db.books"
        died = 0
        for month in MONTHS[1 : KILLS + 1]:
            before, _ = counted(path)
            status, _ = kill(month, rng.randrange(statements))
            assert status in (0, -signal.SIGKILL)
            died += status != 0
            known = counted(path)
            assert known in ((before, before), (before + 1, before + 1))
            again = made("--tenant", "acme", "--period", month, "--close")
            assert again["number"] == f"SHOP-{before + 1:06d}"
    assert died > KILLS // 2
    books = SqliteBooks(path)
    documents = list(books.documents())
    assert [document.number for document in documents] == list(range(1, KILLS + 2))
    assert books.check() == ()
    (place,) = [a for a in books.accounts() if a.kind is AccountKind.RECEIVABLE]
    balance = books.balance(place.id, 0)
    totals = sum(presented(document).total for document in documents)
    assert Decimal(balance.debits - balance.credits) / PICO == totals > 0
