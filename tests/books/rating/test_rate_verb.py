"""`neocloud rate` as a user meets it: what use costs, beside what was billed; nothing changes."""

from __future__ import annotations

import csv
import hashlib
import json
from decimal import Decimal
from pathlib import Path

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.books.metering import TEXT, event, write_ledger
from tests.books.priced import PLAIN, book

from neocloud.books.accounts import Draft, SqliteBooks, books_path
from neocloud.books.rating import rate
from neocloud.cli.failure import Failure
from neocloud.cli.rate import command
from neocloud.ledger import AllocationEvent, Status, ledger_place
from neocloud.units import parse_period

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/rate.schema.json").read_text())
OCTOBER = parse_period("2026-10")
DEARER = PLAIN.replace("0.55", "1.10")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cloud whose prices have changed since most of its requests were admitted."""
    old = book().current.id
    (tmp_path / "cloud.yaml").write_text(TEXT.replace(PLAIN, DEARER))
    (tmp_path / "halved.yaml").write_text(TEXT.replace(PLAIN, PLAIN.replace("0.55", "0.275")))
    real = {"emulated": False, "output_tokens": 1_000_000, "input_tokens": 0}
    write_ledger(
        tmp_path / "ledger.db",
        [
            event(0, price_version=old, **real),
            event(1, **real),
            event(2, tenant="rhein", status=Status.FAILED, **real),
            event(3, tenant="rhein", price_version="lost"),
        ],
    )
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        command, [str(folder / "cloud.yaml"), *arguments], catch_exceptions=False
    )


def shown(folder: Path, *arguments: str) -> dict:
    found = json.loads(run(folder, "--dry-run", "--json", *arguments).stdout)
    jsonschema.validate(found, SCHEMA)
    return found


def keep(folder: Path, *, lines_of: str | None = None) -> None:
    """Keep the old prices in the books, and bill a tenant's use at them."""
    place = ledger_place("sqlite:///ledger.db", folder)
    books = SqliteBooks(books_path(place))
    with books.change(0) as change:
        change.keep_version(book().current)
        if lines_of is not None:
            lines = rate(
                book(), [event(0, emulated=False, output_tokens=1_000_000, input_tokens=0)]
            ).lines
            for series in ("INV", ""):  # what has no number was not billed
                change.issue(
                    Draft(
                        id=f"d{series}", kind="invoice", series=series, tenant=lines_of,
                        start_ns=OCTOBER.start_ns, end_ns=OCTOBER.end_ns, body=msgspec.Raw(b"{}"),
                        lines=lines,
                    )
                )  # fmt: skip
    books.close()


def by_price(found: dict) -> dict[str, str]:
    return {
        line["price"].rstrip("0"): line["amount"].rstrip("0")
        for line in found["lines"]
        if line["tenant"] == "acme"
    }


def test_a_tier_has_the_number_that_an_invoice_gives_it(folder: Path):
    tiers = PLAIN.replace("}", ", tiers: [{above_mtok: 0.5, input: 0.2, cached_input: 0.04, "
                          "output: 0.5}]}")  # fmt: skip
    (folder / "cloud.yaml").write_text(TEXT.replace(PLAIN, tiers))
    assert "tier 2" in run(folder, "--dry-run").stdout
    assert {line["tier"] for line in shown(folder, "--dry-run")["lines"]} == {0, 1}


def test_prices_that_were_kept_rate_what_was_admitted_under_them(folder: Path):
    before = shown(folder)
    assert by_price(before) == {"1.1": "2.2"}, "no old prices: both at the file's"
    assert (before["requests"], before["unbilled"], before["repriced"], before["emulated"]) == (
        4, 1, 2, 1,
    )  # fmt: skip
    keep(folder)
    after = shown(folder)
    assert by_price(after) == {"0.55": "0.55", "1.1": "1.1"}
    assert after["repriced"] == 1


def test_the_difference_is_to_what_has_a_number(folder: Path):
    keep(folder, lines_of="acme")
    (mine,) = shown(folder, "--tenant", "acme", "--period", "2026-10")["sums"]
    assert [Decimal(mine[name]) for name in ("amount", "billed", "difference")] == [
        Decimal("1.65"), Decimal("0.55"), Decimal("1.10"),
    ]  # fmt: skip
    assert mine["in_force"] is None
    text = run(folder, "--dry-run", "--period", "2026-10").stdout
    for part in ("1.650000", "0.550000", "1.100000 USD", "failed, not billed", "Nothing was chang"):
        assert part in text


def test_csv_has_the_rated_lines(folder: Path):
    found = shown(folder, "--tenant", "rhein")
    text = run(folder, "--dry-run", "--csv", "--tenant", "rhein").stdout
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == list(found["lines"][0])
    for row, line in zip(rows, found["lines"], strict=True):
        assert (row["meter"], int(row["quantity"])) == (line["meter"], line["quantity"])
        assert Decimal(row["amount"]) == Decimal(line["amount"])
        assert row["emulated"] == str(line["emulated"]).lower()
    with pytest.raises(Failure, match="give one of them"):
        run(folder, "--dry-run", "--csv", "--json")


def test_other_prices_rate_all_of_it(folder: Path):
    keep(folder, lines_of="acme")
    asked = ("--tenant", "acme", "--period", "2026-10", "--prices", str(folder / "halved.yaml"))
    (mine,) = shown(folder, *asked)["sums"]
    assert [Decimal(mine[name]) for name in ("amount", "in_force", "billed", "difference")] == [
        Decimal("0.55"), Decimal("1.65"), Decimal("0.55"), 0,
    ]  # fmt: skip
    assert "in force" in run(folder, "--dry-run", *asked).stdout


def test_nothing_is_changed(folder: Path):
    keep(folder, lines_of="acme")
    run(folder, "--dry-run")  # readers may leave the files of WAL behind, empty

    def hashes() -> dict[str, str]:
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.iterdir())
            if path.is_file() and not path.name.endswith("-shm")
        }

    before = hashes()
    run(folder, "--dry-run")
    assert hashes() == before


def test_no_books_are_made(folder: Path):
    shown(folder)
    assert not list(folder.glob("*.books*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "add --dry-run"),
        (("--dry-run", "--tenant", "acm"), "Nearest: acme"),
        (("--dry-run", "--period", "2026-13"), "--period"),
    ],
)
def test_what_is_wrong_is_told(folder: Path, arguments: tuple[str, ...], told: str):
    with pytest.raises(Failure, match=told):
        run(folder, *arguments)


def test_prices_in_another_currency_are_refused(folder: Path):
    path = folder / "euro.yaml"
    path.write_text(
        TEXT.replace("exchange_rates: {EUR: 1.25}", "currency: EUR\nexchange_rates: {USD: 0.8}")
    )
    with pytest.raises(Failure, match="has prices in EUR"):
        run(folder, "--dry-run", "--prices", str(path))


def test_time_without_a_price_is_refused(folder: Path):
    span = AllocationEvent(
        event_id="a@1", start_ns=OCTOBER.start_ns, end_ns=OCTOBER.start_ns + 10**9, site="ashburn",
        pool="h100-sxm", model="", tenant="rhein", holder="rhein/1", accelerator="h100-sxm",
        accelerators=8, purpose="training", busy_s=None, emulated=False,
    )  # fmt: skip
    write_ledger(folder / "held.db", [event(0)], [span])
    with pytest.raises(Failure, match=r"pricing\.accelerator_hours"):
        run(folder, "--dry-run", "--ledger", f"sqlite:///{folder}/held.db")
