"""`neocloud report` as a user meets it: text, JSON, CSV, page, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner, Result

from neocloud.activity import Origin, write_parquet
from neocloud.books import Report
from neocloud.cli.failure import Failure
from neocloud.cli.report import command
from neocloud.finance.board import Document
from neocloud.planner import planned_activity, write_plan

from ..books.metering import TEXT, Metering  # noqa: TID252  (one plan, one ledger)

SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cloud, plan, ledger of twenty seconds, and activity of a twin."""
    made = tmp_path_factory.mktemp("reported")
    (made / "cloud.yaml").write_text(TEXT)
    metering = Metering(1.0, seconds=20.0)
    write_plan(metering.plan, made / "plan.json")
    metering.write(made / "ledger.db")
    planned = planned_activity(metering.plan)
    twin = [msgspec.structs.replace(row, source=Origin.SIMULATED) for row in planned]
    write_parquet(twin, made / "twin.parquet")
    write_parquet(planned, made / "planned.parquet")
    other = [msgspec.structs.replace(row, model="qwen") for row in twin]
    write_parquet(other, made / "other.parquet")
    changed = msgspec.structs.replace(
        metering.plan, hashes={**metering.plan.hashes, "cloud": "0" * 64}
    )
    write_plan(changed, made / "other.json")
    return made


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [str(folder / "cloud.yaml"), *arguments])


def told(folder: Path, *arguments: str) -> str:
    done = run(folder, *arguments)
    assert done.exit_code == 0, done.output
    return done.output


def tiers_of(printed: str) -> Report:
    """The tiers part of a printed document."""
    found = msgspec.json.decode(printed, type=Document).tiers
    assert found is not None
    return found


def test_the_text_has_tiers_use_models_and_causes(folder: Path):
    text = told(folder)
    for part in (
        "By tier, USD", "difference 0", "Power contracts", "Accelerator-minutes", "goodput",
        "market low", "By site, model, tenant", "From planned to metered", "utilisation",
        "as invoiced, before credits and tax", "acme specimen", "Nothing simulated was given",
    ):  # fmt: skip
        assert part in text


def test_the_json_is_of_the_published_schema(folder: Path):
    printed = told(
        folder, "--json", "--by", "use,tenant", "--activity", str(folder / "twin.parquet")
    )
    found = json.loads(printed)
    jsonschema.validate(found, json.loads((SCHEMAS / "report.schema.json").read_text()))
    assert found["schema"] == "neocloud.report/3"
    report = tiers_of(printed)
    assert report.tiers.by == ("use", "tenant")
    assert [(g.use, g.tenant) for g in report.tiers.groups] == [("idle", ""), ("inference", "acme")]
    assert report.models[0].simulated is not None
    assert report.tiers.identity.difference == 0


def test_the_csv_adds_up_to_the_cost(folder: Path):
    lines = list(csv.DictReader(io.StringIO(told(folder, "--csv", "--by", "tenant"))))
    assert [line["tenant"] for line in lines] == ["", "acme"]
    report = tiers_of(told(folder, "--json"))
    assert sum(Decimal(line["cost"]) for line in lines) == report.tiers.tiers[-1].cost_so_far


def test_the_page_is_written_beside_the_text(folder: Path, tmp_path: Path):
    page = tmp_path / "report.html"
    assert told(folder, "--html", str(page)).endswith(f"Page: {page}\n")
    assert page.read_text().startswith("<!doctype html>")
    quiet = told(folder, "--html", str(page), "--json")
    assert json.loads(quiet)["cloud"] == "small"


def test_a_period_holds_what_lies_in_it(folder: Path):
    whole = tiers_of(told(folder, "--json"))
    part = tiers_of(told(folder, "--json", "--period", "2026-10-05T13:00:00Z/2026-10-05T13:00:10Z"))
    assert 0 < part.requests < whole.requests
    assert part.tiers.hours[0].standing == pytest.approx(8 * 10 / 3600)


def test_a_course_by_month_day_and_hour_adds_up_to_the_whole(folder: Path):
    """All of it happened on one day, so each is one line a tenant."""
    report = tiers_of(told(folder, "--json"))
    for grain, name in (("month", "2026-10"), ("day", "2026-10-05"), ("hour", "2026-10-05T13")):
        lines = list(csv.DictReader(io.StringIO(told(folder, "--csv", "--by", f"{grain},tenant"))))
        assert [(x[grain], x["tenant"]) for x in lines] == [(name, ""), (name, "acme")]
        assert sum(Decimal(x["cost"]) for x in lines) == report.tiers.tiers[-1].cost_so_far
        assert sum(Decimal(x["revenue"]) for x in lines) == report.tiers.tiers[-1].revenue


def test_a_month_is_told_day_by_day(folder: Path):
    report = tiers_of(told(folder, "--json", "--period", "2026-10"))
    days = [line.day for line in report.tiers.trend]
    assert days == [f"2026-10-{day:02}" for day in range(1, 32)]
    assert sum(line.cost for line in report.tiers.trend) == report.tiers.tiers[-1].cost_so_far
    assert {line.day for line in report.tiers.trend if line.tokens} == {"2026-10-05"}
    assert "Course, USD" in told(folder, "--period", "2026-10")


def test_revenue_leads_to_the_documents(folder: Path):
    """Twenty seconds are no month: use alone, and emulated, so a specimen."""
    found = tiers_of(told(folder, "--json")).tiers.invoiced
    assert found is not None
    (document,) = found.documents
    assert (document.tenant, document.kind, document.number) == ("acme", "specimen", "")
    assert {each.cause for each in found.differences} == {"rounding of the lines and exchange"}
    assert found.tiers + found.differences[0].amount == found.invoiced == document.revenue


def test_a_twin_without_the_model_is_told(folder: Path):
    text = told(folder, "--activity", str(folder / "other.parquet"))
    assert "The simulated activity holds nothing of this model." in text
    text = told(folder, "--activity", str(folder / "twin.parquet"))
    assert "From planned to simulated" in text
    assert "no latency of single requests" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--by", "site,week"), "no 'week'. All: site, pool, model, tenant, use, month, day, hour"),
        (("--by", "tenants"), "Nearest: tenant."),
        (("--by", "site,site"), "name each once"),
        (("--json", "--csv"), "give one of them"),
        (("--by", ""), "no ''. All: site"),
        (("--period", "2026-13"), "--period: '2026-13' is not a period"),
        (("--period", "2026-09"), "holds no usage in 2026-09-01T00:00:00Z"),
        (("--plan", "other.json"), "other.json"),
        (("--html", "none/report.html"), "none/report.html cannot be written"),
        (("--activity", "none.parquet"), "none.parquet: "),
        (("--activity", "cloud.yaml"), "is no activity"),
        (("--activity", "planned.parquet"), "holds no activity of source `simulated`"),
        (("--picture", "report.doc"), ".png or .svg"),
    ],
)
def test_wrong_use_is_told(folder: Path, arguments, message, monkeypatch):
    monkeypatch.chdir(folder)
    done = run(folder, *arguments)
    assert isinstance(done.exception, Failure)
    assert done.exception.status == 2
    assert message in str(done.exception)
    assert done.output == ""
