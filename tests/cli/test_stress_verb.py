"""`neocloud stress` as a user meets it: text, JSON, CSV, page, picture, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
from html import escape
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from neocloud.cli.failure import Failure
from neocloud.cli.init import command as init
from neocloud.cli.stress import command
from neocloud.finance.stress import NAMES

ROOT = Path(__file__).parents[2]
CLOUD = ROOT / "examples" / "public" / "iren-microsoft.yaml"
FEW = ("--paths", "60")


def run(*arguments: str, cloud: Path = CLOUD) -> Result:
    return CliRunner().invoke(command, [str(cloud), *arguments])


def told(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.output


def refused(*arguments: str, cloud: Path = CLOUD) -> str:
    error = run(*arguments, cloud=cloud).exception
    assert isinstance(error, Failure)
    assert error.status == 2
    return str(error)


def test_the_text_has_scenarios_paths_and_smallest_shocks():
    text = told(*FEW, "--reverse")
    for part in (*NAMES, "Tornado", "60 paths of seed 1", "expected shortfall", "breaks first",
                 "Smallest shock", "Its norm is"):  # fmt: skip
        assert part in text


def test_the_json_follows_the_schema_and_the_seed():
    schema = json.loads((ROOT / "schemas" / "stress.schema.json").read_text())
    first = told(*FEW, "--reverse", "--json")
    report = json.loads(first)
    jsonschema.validate(report, schema)
    assert [item["name"] for item in report["scenarios"]] == list(NAMES)
    assert report["monte_carlo"]["base_difference"] < 1e-9
    assert told(*FEW, "--reverse", "--json") == first
    other = json.loads(told(*FEW, "--seed", "2", "--json"))
    assert other["monte_carlo"]["tails"] != report["monte_carlo"]["tails"]
    assert other["scenarios"] == report["scenarios"], "scenarios know no chance"


def test_a_reconstruction_says_so_on_text_json_and_page(tmp_path: Path):
    page = tmp_path / "stress.html"
    said = "A reconstruction, not IREN's own model"
    text = told("--paths", "0", "--scenario", "glut", "--html", str(page))
    assert text.startswith(f"RECONSTRUCTION: {said}")
    assert f"RECONSTRUCTION: {escape(said)}" in page.read_text()
    report = json.loads(told("--paths", "0", "--scenario", "glut", "--json"))
    assert report["reconstruction"].startswith(said)
    own = tmp_path / "cloud.yaml"
    own.write_text(CLOUD.read_text().replace("# A reconstruction", "# Thoughts", 1))
    done = run("--paths", "0", "--scenario", "glut", cloud=own)
    assert done.output.startswith("iren-microsoft: stress over")


def test_the_csv_has_a_line_a_case():
    text = told("--paths", "0", "--csv", "--scenario", "rates-up", "--scenario", "glut")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["scenario"] for row in rows] == ["base", "rates-up", "glut"]
    assert float(rows[1]["min_dscr"]) < float(rows[0]["min_dscr"])
    assert rows[2]["breach_measure"]


def test_scenarios_join():
    report = json.loads(told("--paths", "0", "--json", "--scenario", "rates-up+curtailment"))
    assert report["monte_carlo"] is None
    assert report["reverse"] is None
    single = json.loads(told("--paths", "0", "--json", "--scenario", "curtailment"))
    both, one = (item["scenarios"][0]["figures"]["min_dscr"] for item in (report, single))
    assert both < one


def test_the_page_and_the_picture_stand_alone(tmp_path: Path):
    pytest.importorskip("matplotlib")
    page, picture = tmp_path / "stress.html", tmp_path / "stress.svg"
    text = told(*FEW, "--reverse", "--html", str(page), "--picture", str(picture))
    assert f"Page: {page}" in text
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 4, "a tornado and three fans"
    for foreign in ("<script", "http:", "https:", "<link", "<img"):
        assert foreign not in html
    assert "Correlations" in html
    assert picture.read_text(encoding="utf-8").count("</svg>") == 1


def test_an_unknown_scenario_gets_the_nearest():
    message = refused("--scenario", "rental-dwn")
    assert "--scenario rental-dwn: no scenario 'rental-dwn'. Nearest: rental-down" in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--json", "--csv"), "give one of them"),
        (("--picture", "x.pdf"), "ends in .png or .svg"),
        (("--html", "nowhere/x.html"), "there is no folder nowhere"),
        (("--plan", "nowhere.json"), "nowhere.json"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple[str, ...], said: str):
    assert said in refused(*arguments)


def test_models_without_a_plan_are_told_on_the_side():
    done = run("--paths", "0", cloud=ROOT / "examples" / "reference" / "cloud.yaml")
    assert done.exit_code == 0
    assert "no token is sold" in done.stderr
    assert "no token is sold" not in done.stdout


def test_a_cloud_without_finance_and_plan_has_nothing_to_stress(tmp_path: Path):
    cloud = tmp_path / "cloud.yaml"
    assert CliRunner().invoke(init, [str(cloud)]).exit_code == 0
    said = refused(cloud=cloud)
    assert said.startswith(f"{cloud}: nothing to stress: no plan, and the file has no `contracts`")


def test_a_mistake_in_the_file_has_its_place(tmp_path: Path):
    cloud = tmp_path / "cloud.yaml"
    cloud.write_text(CLOUD.read_text().replace("currency: USD", "currency: ZZZ"))
    assert "cloud.yaml:" in refused(cloud=cloud)
