"""`neocloud export focus` as a user meets it."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from neocloud.books.focus import InvoiceTotal, Version, write, write_export
from neocloud.cli.export import command
from neocloud.cli.failure import Failure

from .case import OCTOBER, Case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("focus"))


def export(case: Case, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["focus", str(case.file), *arguments])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_four_files_of_1_4_and_one_of_1_2(case: Case, tmp_path: Path):
    done = export(case, "--period", "2026-10", "--out", str(tmp_path / "new" / "out"))
    assert done.exit_code == 0, done
    assert "focus_1_4_cost_and_usage.csv: 28 rows." in done.stdout
    assert "1 requests and spans of emulated engines" in done.stderr
    done = export(
        case, "--period", "2026-10", "--version", "1.2", "--tenant", "rhein",
        "--out", str(tmp_path / "new" / "out"),
    )  # fmt: skip
    assert done.exit_code == 0, done
    names = sorted(path.name for path in (tmp_path / "new" / "out").iterdir())
    assert names == [
        "focus_1_2_cost_and_usage.csv", "focus_1_4_billing_period.csv",
        "focus_1_4_contract_commitment.csv", "focus_1_4_cost_and_usage.csv",
        "focus_1_4_invoice_detail.csv",
    ]  # fmt: skip
    of_rhein = rows(tmp_path / "new" / "out" / names[0])
    assert {row["ProviderName"] for row in of_rhein} == {"Cloud One Inc."}
    assert sum(Decimal(row["BilledCost"]) for row in of_rhein) == Decimal("107.10")
    assert "HostProviderName" not in of_rhein[0]


def test_what_is_not_invoiced_is_said(case: Case, tmp_path: Path):
    done = export(case, "--period", "2026-12", "--out", str(tmp_path))
    assert "Not invoiced yet, so the use alone: acme, rhein, kyoto." in done.stderr


def test_names_with_commas_and_quotes_survive(case: Case, tmp_path: Path):
    export(case, "--period", "2026-10", "--tenant", "acme", "--out", str(tmp_path))
    names = {r["BillingAccountName"] for r in rows(tmp_path / "focus_1_4_cost_and_usage.csv")}
    assert names == {'Acme, "Corporation"'}


def test_the_same_books_give_the_same_bytes(case: Case, tmp_path: Path):
    for folder in ("a", "b"):
        export(case, "--period", "2026-10", "--out", str(tmp_path / folder))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_before_any_invoice_there_is_use(tmp_path: Path):
    (tmp_path / "whole").mkdir()
    case = Case(tmp_path / "whole")
    for path in case.folder.glob("ledger.db.books*"):
        path.unlink()
    done = export(case, "--period", "2026-10", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done
    assert {r["InvoiceId"] for r in rows(tmp_path / "out" / "focus_1_4_cost_and_usage.csv")} == {""}
    assert not list(case.folder.glob("ledger.db.books*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--period", "2026-10-05", "--out", "OUT"), "is no calendar month; write 2026-10"),
        (("--period", "May", "--out", "OUT"), "--period: "),
        (("--period", "2026-10", "--tenant", "acm", "--out", "OUT"), "Nearest: acme"),
        (("--period", "2026-10", "--out", "FILE/x"), "cannot be written: Not a directory"),
    ],
)
def test_wrong_use_says_what_to_do(case: Case, tmp_path: Path, arguments, message):
    (tmp_path / "file").write_text("")
    named = {"OUT": str(tmp_path / "out"), "FILE/x": str(tmp_path / "file" / "x")}
    done = export(case, *(named.get(a, a) for a in arguments))
    assert isinstance(done.exception, Failure)
    assert done.exception.status == 2
    assert message in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("version", Version)
def test_nothing_is_half_written(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: Version
):
    """The disk is full at the last moment of the last file: the old files stand as they were."""
    made = case.export(OCTOBER)
    before = {w.path: w.path.read_bytes() for w in write_export(made, version, tmp_path)}
    left = len(before)

    def full(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_export(case.export(OCTOBER, "acme"), version, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_export_that_does_not_add_up_is_not_written(case: Case, tmp_path: Path):
    made = case.export(OCTOBER)
    wrong = InvoiceTotal(invoice_id="ONE-000001", total=Decimal("1.00"))
    broken = msgspec.structs.replace(made, totals=(wrong, *made.totals[1:]))
    with pytest.raises(AssertionError, match=r"rows of ONE-000001 come to 18598\.12, not to 1\.00"):
        write_export(broken, Version.V1_4, tmp_path)
    assert not list(tmp_path.iterdir())
