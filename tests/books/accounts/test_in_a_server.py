"""A ledger in PostgreSQL, from closing to reconciliation: its books lie in the same database."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result
from tests.books.invoices.shop import PRICES, TEXT, usage
from tests.books.journal.bean_check import bean_check
from tests.servers.postgresql import shared

from neocloud.cli.main import cli
from neocloud.ledger import ledger_place
from neocloud.ledger.store import Batch


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, (done, done.exception)
    return done


def test_every_verb_of_the_books_uses_the_database(tmp_path, monkeypatch):
    url = shared().database()
    text = TEXT.replace("ACME", ", tax_rate: 0.2").replace("PRICES", PRICES)
    (tmp_path / "cloud.yaml").write_text(f'{text}gateway: {{ledger: "{url}"}}\n')
    monkeypatch.chdir(tmp_path)
    store = ledger_place(url, tmp_path).connect()
    store.create()
    events = [usage("2026-01-05", n, output_tokens=1000 * n) for n in range(9)]
    store.apply("test", 1, Batch(usage=events))
    store.close()
    of_acme = ("cloud.yaml", "--tenant", "acme", "--period", "2026-01")
    preview = json.loads(run("invoice", *of_acme, "--json").stdout)
    issued = json.loads(run("invoice", *of_acme, "--close", "--json").stdout)
    assert (preview["kind"], issued["number"]) == ("preview", "SHOP-000001")
    assert preview["total"] == issued["total"]
    run("payment", "record", "cloud.yaml", "--tenant", "acme", "--amount", issued["total"],
        "--date", "2026-02-20", "--id", "REF")  # fmt: skip
    owed = json.loads(run("payment", "list", "cloud.yaml", "--json").stdout)
    assert owed["ages"][0]["balance"] == "0.00"
    rated = json.loads(run("rate", *of_acme, "--dry-run", "--json").stdout)
    assert all(not float(each["difference"]) for each in rated["sums"])
    run("export", "beancount", "cloud.yaml", "--out", "books.beancount")
    assert bean_check(tmp_path / "books.beancount") == ""
    run("export", "books", "cloud.yaml", "--out", "books", "--format", "csv")
    run("export", "focus", "cloud.yaml", "--period", "2026-01", "--out", "focus")
    assert "agree: 9 events" in run("reconcile", "cloud.yaml").stdout
    assert not list(tmp_path.glob("*.books"))
