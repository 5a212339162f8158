"""`neocloud report` of companies in figures: parts, forms, what is left out, what is refused."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import jsonschema
import openpyxl
import pytest
from click.testing import CliRunner, Result

from neocloud.cli.failure import Failure
from neocloud.cli.report import command

from ..books.metering import TEXT, event, write_ledger  # noqa: TID252  (one ledger)

ROOT = Path(__file__).parents[2]
PUBLIC = ROOT / "examples" / "public"
IREN = PUBLIC / "iren-microsoft.yaml"
COREWEAVE = PUBLIC / "coreweave-like.yaml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def told(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code == 0, done.exception or done.output
    return done.output


def refused(*arguments: object) -> str:
    done = run(*arguments)
    assert isinstance(done.exception, Failure), done.output
    assert done.exception.status == 2
    assert done.output == ""
    return str(done.exception)


@pytest.mark.parametrize("path", sorted(PUBLIC.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_public_example_is_reported_and_marked(path: Path) -> None:
    text = told(path)
    assert text.startswith("RECONSTRUCTION: A reconstruction, not ")
    assert "difference 0 in all" in text
    assert "Left out: tiers: the file has no pools or no models" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_reference_example_is_reported() -> None:
    text = told(ROOT / "examples" / "reference" / "cloud.yaml")
    assert "RECONSTRUCTION" not in text
    assert "reference: finance" in text
    assert "reference: indicators" in text
    assert "Left out: tiers: no plan at" in text


def test_parts_narrow_what_is_shown() -> None:
    finance, lender = told(IREN, "--part", "finance"), told(IREN, "--part", "lender")
    assert "iren-microsoft: finance" in finance
    assert "iren-microsoft: indicators" not in finance
    assert "Left out" not in finance
    assert "gpu-loan, end of 2026-09" in lender
    assert "iren-microsoft: finance" not in lender
    both = told(IREN, "--part", "lender", "--part", "finance")
    assert both.index("iren-microsoft: finance") < both.index("gpu-loan, end of 2026-09")


def test_a_lenders_pack_stands_at_the_month_that_is_asked_for() -> None:
    text = told(IREN, "--part", "lender", "--month", "2028-03", "--facility", "gpu-loan")
    assert "gpu-loan, end of 2028-03" in text


def test_json_is_of_the_published_schema_and_exact() -> None:
    found = json.loads(told(IREN, "--json", "--part", "finance", "--part", "lender"))
    schema = json.loads((ROOT / "schemas" / "report.schema.json").read_text())
    jsonschema.validate(found, schema)
    assert found["schema"] == "neocloud.report/3"
    assert found["reconstruction"].startswith("A reconstruction, not IREN's own model")
    assert found["tiers"] is None
    lines = {line["key"]: line["amounts"] for line in found["finance"]["income"]["lines"]}
    for revenue, cost, ebitda in zip(
        lines["revenue"], lines["operating_cost"], lines["ebitda"], strict=True
    ):
        assert Decimal(revenue) - Decimal(cost) == Decimal(ebitda)
    indicators = json.loads(told(IREN, "--json", "--part", "indicators"))
    jsonschema.validate(indicators, schema)
    assert indicators["finance"] is None


def test_csv_prints_one_part() -> None:
    rows = list(csv.DictReader(io.StringIO(told(IREN, "--csv", "--part", "finance"))))
    assert rows[0]["statement"] == "reconstruction"
    cash = [row for row in rows if (row["statement"], row["line"]) == ("cash", "change")]
    assert len(cash) == 66
    whole = sum(Decimal(row["amount"]) for row in cash)
    held = [row for row in rows if (row["statement"], row["line"]) == ("balance", "cash")]
    assert whole == Decimal(held[-1]["amount"])
    message = refused(IREN, "--csv")
    assert "--csv prints one part, and there are 2" in message
    assert "--part finance or --part indicators" in message


def test_statements_are_told_by_quarter_and_month() -> None:
    assert "2026-Q3" in told(IREN, "--every", "quarter", "--part", "finance")
    assert "2026-07" in told(IREN, "--every", "month", "--part", "finance")


def test_page_and_workbook_are_written_and_marked(tmp_path: Path) -> None:
    page, book = tmp_path / "board.html", tmp_path / "model.xlsx"
    text = told(COREWEAVE, "--html", page, "--xlsx", book)
    assert text.endswith(f"Page: {page}\nWorkbook: {book}\n")
    assert "RECONSTRUCTION" in page.read_text()
    read = openpyxl.load_workbook(book)
    assert all("RECONSTRUCTION" in sheet["A1"].value for sheet in read)
    ebitda = next(cell for cell in read["Income"]["A"] if cell.value == "EBITDA")
    assert str(read["Income"].cell(ebitda.row, 3).value).startswith("=")


def test_a_workbook_is_written_beside_another_part(tmp_path: Path) -> None:
    book = tmp_path / "model.xlsx"
    assert "indicators" in told(IREN, "--part", "indicators", "--xlsx", book)
    assert book.stat().st_size > 10_000


def test_what_has_no_ground_is_refused_with_a_remedy(tmp_path: Path) -> None:
    two_sites = ROOT / "examples" / "three-regions" / "cloud.yaml"
    message = refused(two_sites)
    assert "nothing to report: no tiers: no plan at" in message
    assert f"`neocloud plan {two_sites}` makes one" in message
    assert "no finance: the file has no `contracts`" in message
    assert "no tiers: the file has no pools or no models" in refused(IREN, "--part", "tiers")
    assert "no tiers: the file has no pools" in refused(IREN, "--period", "2026-01")
    assert "no finance: the file has no" in refused(two_sites, "--xlsx", tmp_path / "x.xlsx")
    nebius = PUBLIC / "nebius-like-2025-06-30.yaml"
    assert "no lender: `finance.debt` is empty" in refused(nebius, "--part", "lender")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--facility", "gpu-lone"), "the file has none of that name. Nearest: gpu-loan."),
        (("--month", "2050-01"), "--month 2050-01: the model runs from 2026-01 to 2031-06."),
        (("--plan", "none.json"), "none.json"),
        (("--json", "--csv"), "give one of them"),
        (("--xlsx", "none/model.xlsx"), "none/model.xlsx cannot be written"),
        (("--html", "none/board.html"), "none/board.html cannot be written"),
    ],
)  # fmt: skip
def test_wrong_use_is_told(arguments, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(IREN, *arguments)


OWED = """\
finance:
  start: 2026-11-01
  months: 12
  debt:
    - {name: bank, kind: term_loan, commitment: 1000, start: 2026-11-01, maturity: 2027-11-01,
       margin: 0.1}
"""


@pytest.mark.parametrize(("emulated", "days"), [(False, 2), (True, 2), (False, 0)])
def test_without_a_plan_a_day_of_the_ledger_stands_in(
    tmp_path: Path, emulated: bool, days: int
) -> None:
    """Two requests of 1,000 and 200 tokens, two days apart: a month brings one a day."""
    file = tmp_path / "cloud.yaml"
    file.write_text(TEXT + OWED)
    used = [event(n * (days * 86_400_000 + 1), emulated=emulated) for n in (0, 1)]
    write_ledger(tmp_path / "ledger.db", used)
    found = json.loads(told(file, "--part", "finance", "--json"))["finance"]
    revenue = {line["key"]: line["amounts"] for line in found["income"]["lines"]}["revenue"]
    if emulated or not days:
        assert found["from_plan"].startswith("No plan: no token is sold")
        assert set(revenue) == {"0"}
        return
    assert "mean day of the ledger" in found["from_plan"]
    # Two requests in two days and the two seconds of the second's answer.
    each = Decimal("0.26") * 1000 / 10**6 + Decimal("0.55") * 200 / 10**6
    assert float(revenue[0]) == pytest.approx(float(2 * each * 30 / 2), rel=1e-3)


MISTAKES = [
    ("debt over value", "commitment: 3600000000", "commitment: 3600000000\n      advance_rate: 0.5",
     "E112 a commitment of 3,600,000,000 USD is above advance_rate 0.5"),
    ("negative term", "term_months: 60", "term_months: -60", "E104 term_months -60 is below 1"),
    ("unknown customer", "tenant: microsoft\n", "tenant: microsft\n",
     "E202 tenant 'microsft' is no tenant of this file. Did you mean microsoft?"),
    ("drawn before it may be", "- date: 2026-07-01  # assumption: whole",
     "- date: 2025-11-01  # assumption: whole", "E112 it is drawn on 2025-11-01, but available"),
    ("drawn after it may be", "- date: 2026-07-01  # assumption: whole",
     "- date: 2027-07-01  # assumption: whole", "E112 it is drawn on 2027-07-01, but available"),
    ("drawn above commitment", "amount: 3600000000", "amount: 4600000000",
     "E112 draws of 4,600,000,000 are above the commitment of 3,600,000,000"),
    ("maturity before start", "maturity: 2031-07-01", "maturity: 2025-07-01",
     "E112 the maturity 2025-07-01 is not after 2026-07-01"),
    ("unknown contract", "contracts: [microsoft]\n      collateral",
     "contracts: [micro]\n      collateral", "E216 contracts 'micro' is no contract"),
    ("unknown collateral", "collateral: [gb300]", "collateral: [gb200]",
     "E217 collateral 'gb200' is no asset of this file. Did you mean gb300?"),
    ("unknown asset", "requires: [gb300]", "requires: [gb3000]",
     "E217 requires 'gb3000' is no asset of this file"),
    ("shares of payments", "share: 0.37931", "share: 0.3",
     "E112 the shares of the payments sum to 0.92069. They must sum to 1."),
    ("negative price", "price: 2.913963", "price: -2.9", "E104 price -2.9 is below 0"),
    ("rate in per cent", "margin: 0.02375", "margin: 2.375", "write 0.06 for 6 %"),
    ("unknown curve", "base_rate: sofr", "base_rate: libor",
     "E220 base_rate 'libor' is no base rate of this file"),
    ("negative life", "life_years: 5", "life_years: -5", "E104 life_years -5 is below 1"),
    ("prepaid after the end", "- date: 2026-02-01  # assumption: ahead",
     "- date: 2036-02-01  # assumption: ahead", "E112 a prepayment of 2036-02-01 comes after"),
    ("unknown covenant", "min_dscr: 1.3", "min_dcsr: 1.3",
     "E105 covenants has no field 'min_dcsr'. Did you mean min_dscr"),
    ("no such day", "maturity: 2031-07-01", "maturity: 2031-02-30",
     "E104 maturity 2031-02-30 is no day of the calendar"),
    ("signed too late", "signed: 2025-11-03", "signed: 2027-11-03",
     "E112 it is signed on 2027-11-03, after its start on 2026-07-01"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [mistake[1:] for mistake in MISTAKES],
    ids=[mistake[0] for mistake in MISTAKES],
)
def test_a_figure_given_wrongly_has_its_place(
    tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    text = IREN.read_text()
    assert right in text
    file = tmp_path / "cloud.yaml"
    file.write_text(text.replace(right, wrong, 1))
    said = refused(file)
    assert message in said
    place = said.split(f"{file}:")[1].split(" ")[0]
    line, column, _ = place.split(":")
    changed = [
        number
        for number, (old, new) in enumerate(
            zip(text.splitlines(), file.read_text().splitlines(), strict=False), start=1
        )
        if old != new
    ]
    assert int(column) > 0
    # At the line that was changed, or a few above it, where the whole that it breaks begins.
    assert changed[0] - 12 <= int(line) <= changed[0] + 1


@pytest.mark.parametrize("page", ["README.md", "docs/finance-report.md"])
def test_what_pages_show_is_what_it_prints(page: str) -> None:
    text = (ROOT / page).read_text()
    block = text.split("$ neocloud report examples/public/iren-microsoft.yaml")[1].split("```")[0]
    shown = [line for line in block.splitlines()[1:] if line and line != "..."]
    printed = told(IREN).splitlines()
    assert len(shown) > 15
    assert [line for line in shown if line not in printed] == []
