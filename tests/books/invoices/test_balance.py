"""What prepaid credits are worth now: holds and use that is not billed are taken off."""

from __future__ import annotations

import json
import tempfile
from decimal import Decimal
from pathlib import Path

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from neocloud.books.accounts import AccountKind, Posting, PostingKind, account, account_id
from neocloud.books.invoices import TenantCredits, tenant_credits
from neocloud.cli.credit import command
from neocloud.units import PICO, parse_period

from ..metering import write_ledger  # noqa: TID252  (one way to fill a ledger)
from .shop import PRICES, TEXT, Memory, Shop, at, cloud, usage

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "schemas" / "credit.schema.json").read_text(encoding="utf-8")
)
ONE_A_MILLION = "{input: 1, output: 1}"
CREDITS = (
    "prepaid_credits: [{name: top-up, amount: 100, date: 2026-10-01}, "
    "{name: start, amount: 30, date: 2026-10-01, expires: 2026-10-15, priority: 1}, "
    "{name: later, amount: 7, date: 2026-12-01}]"
)
USED = [
    usage("2026-10-03", 1, input_tokens=9_000_000),
    usage("2026-10-20", 2, input_tokens=4_000_000),
    usage("2026-11-02", 3, input_tokens=2_000_000),
]


def now_of(shop: Shop, now_ns: int) -> TenantCredits:
    """Balances of acme; before the first invoice there are no books."""
    books = shop.books if shop.books.path.exists() else None
    return tenant_credits(msgspec.structs.replace(shop.office, books=books), "acme", now_ns)


def by_name(found: TenantCredits) -> dict[str, tuple[Decimal, Decimal, Decimal, Decimal]]:
    return {c.name: (c.booked, c.held, c.unbilled, c.available) for c in found.credits}


def test_use_of_the_running_month_is_taken_off_before_any_invoice(tmp_path):
    source = Memory(USED[:1])
    shop = Shop(tmp_path, cloud(acme=CREDITS, prices=ONE_A_MILLION), source)
    now = now_of(shop, at("2026-10-04"))
    assert by_name(now) == {
        "top-up": (100, 0, 0, 100), "start": (30, 0, 9, 21), "later": (7, 0, 0, 0),
    }  # fmt: skip
    assert (now.available, [(m.month, m.amount) for m in now.months]) == (121, [("2026-10", 9)])
    source.events.append(USED[1])
    later = now_of(shop, at("2026-10-21"))
    assert by_name(later)["top-up"] == (100, 0, 4, 96)
    assert by_name(later)["start"] == (30, 0, 9, 0), "what is left has expired"


def test_after_closing_the_books_say_so_and_holds_are_taken_off(tmp_path):
    shop = Shop(tmp_path, cloud(acme=CREDITS, prices=ONE_A_MILLION), Memory(USED))
    shop.close("2026-10")
    place = account_id(AccountKind.PREPAID, "acme/top-up", "USD")
    cash = account(AccountKind.CASH, "acme", "USD")
    hold = Posting(
        id="h", kind=PostingKind.HOLD, debit=place, credit=cash.id, pico=10 * PICO,
        day="2026-11-05", timeout_s=3600,
    )  # fmt: skip
    with shop.books.change(at("2026-11-05")) as change:
        change.open_account(cash)
        change.post(hold)
    at_once = now_of(shop, at("2026-11-05T00:59:00Z"))
    assert by_name(at_once)["top-up"] == (96, 10, 2, 84)
    assert by_name(at_once)["start"] == (0, 0, 0, 0)
    after = now_of(shop, at("2026-11-05T01:01:00Z"))
    assert by_name(after)["top-up"] == (96, 0, 2, 94)


def test_what_a_month_charges_at_its_end_is_due_then(tmp_path):
    minimum = cloud(acme=f"minimum_spend_per_month: 20, {CREDITS}", prices=ONE_A_MILLION)
    shop = Shop(tmp_path, minimum, Memory(USED))
    running = now_of(shop, at("2026-10-31"))
    assert [(m.month, m.amount) for m in running.months] == [("2026-10", 13)]
    over = now_of(shop, at("2026-11-03"))
    assert [(m.month, m.amount) for m in over.months] == [("2026-10", 20), ("2026-11", 2)]
    # Nine before the fifteenth; four after it, seven at the month's end, and two of November.
    assert by_name(over)["top-up"] == (100, 0, 13, 87)


def test_corrections_of_closed_months_are_counted_once(tmp_path):
    source = Memory(USED[:1])
    shop = Shop(tmp_path, cloud(acme=CREDITS, prices=ONE_A_MILLION), source)
    shop.close("2026-10")
    source.events += USED[1:]
    now = now_of(shop, at("2026-12-02"))
    assert [(m.month, m.amount) for m in now.months] == [("2026-11", 6), ("2026-12", 0)]
    assert by_name(now)["top-up"] == (100, 0, 6, 94)


def test_emulated_use_costs_nobody_anything(tmp_path):
    source = Memory([usage("2026-10-03", 1, emulated=True)])
    shop = Shop(tmp_path, cloud(acme=CREDITS, prices=ONE_A_MILLION), source)
    now = now_of(shop, at("2026-10-04"))
    assert (by_name(now)["start"], now.months) == ((30, 0, 0, 30), ())


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 28), st.integers(0, 60_000_000)),
             max_size=8)
)  # fmt: skip
@settings(deadline=None, max_examples=25)
def test_a_balance_is_what_closing_leaves(used):
    """After two months, before they are closed, as what their invoices then leave."""
    events = [
        usage(f"2026-{10 + month}-{day:02d}", n, input_tokens=tokens)
        for n, (month, day, tokens) in enumerate(used)
    ]
    known = cloud(acme=f"minimum_spend_per_month: 3, {CREDITS}", prices=ONE_A_MILLION)
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder), known, Memory([*events, usage("2026-10-01", 99)]))
        end_ns = parse_period("2026-11").end_ns
        before = by_name(now_of(shop, end_ns))
        shop.close("2026-10")
        shop.close("2026-11")
        after = by_name(now_of(shop, end_ns))
        shop.books.close()
    assert {name: each[3] for name, each in before.items()} == {
        name: each[3] for name, each in after.items()
    }


def test_the_verb_shows_all_that_have_some(tmp_path, monkeypatch: pytest.MonkeyPatch):
    text = TEXT.replace("ACME", f", {CREDITS.replace('2026', '2024')}").replace("PRICES", PRICES)
    (tmp_path / "cloud.yaml").write_text(text)
    write_ledger(tmp_path / "ledger.db", [usage("2024-10-03", 1)])
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        asked = ["cloud.yaml", *arguments]
        return CliRunner().invoke(command, asked, catch_exceptions=False).stdout

    found = json.loads(run("--json"))
    jsonschema.validate(found, SCHEMA)
    (acme,) = found["tenants"]
    assert {c["name"]: Decimal(c["available"]) for c in acme["credits"]} == {
        "top-up": 100, "start": 0, "later": 7,
    }  # fmt: skip
    assert (acme["tenant"], Decimal(acme["available"])) == ("acme", 107)
    shown = run()
    for part in ("top-up", "100.00", "2024-10-15", "not billed yet (USD): 2024-10 0.26."):
        assert part in shown
    assert run("--tenant", "rhein").startswith("Nobody has prepaid credits")
    assert not list(tmp_path.glob("*.books*"))
