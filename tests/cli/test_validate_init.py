"""`init` writes a file that validates and plans; `validate` tells all mistakes at once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "two-sites" / "cloud.yaml"
SCHEMA = json.loads((ROOT / "schemas" / "validation.schema.json").read_text())


def neocloud(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb as a user does; whatever happens, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def validated(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    return document


def test_the_first_file_validates_and_plans(tmp_path: Path) -> None:
    made = neocloud(tmp_path, "init")
    assert made.returncode == 0, made.stderr
    assert "neocloud validate cloud.yaml" in made.stdout
    checked = neocloud(tmp_path, "validate", "cloud.yaml")
    assert (checked.returncode, checked.stderr) == (0, "")
    planned = neocloud(tmp_path, "plan", "cloud.yaml", "--json")
    assert (planned.returncode, planned.stderr) == (0, "")
    (placement,) = json.loads(planned.stdout)["placements"]
    assert max(placement["replicas_by_hour"]) >= 1


def test_the_template_is_package_data_and_explains_itself(tmp_path: Path) -> None:
    text = files("neocloud.cli").joinpath("templates/cloud.yaml").read_text()
    neocloud(tmp_path, "init", "mine.yaml")
    assert (tmp_path / "mine.yaml").read_text() == text
    assert text.count("#") > 10
    assert len(text.splitlines()) < 60, "a start, not a reference"


@pytest.mark.parametrize("content", ["", "name: mine\n"])
def test_init_never_overwrites(tmp_path: Path, content: str) -> None:
    (tmp_path / "cloud.yaml").write_text(content)
    done = neocloud(tmp_path, "init")
    assert done.returncode == 2
    assert "cloud.yaml is there already and is left as it is" in done.stderr
    assert (tmp_path / "cloud.yaml").read_text() == content


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    done = neocloud(tmp_path, "init", "gone/cloud.yaml")
    assert done.returncode == 2
    assert "gone/cloud.yaml cannot be written: No such file or directory" in done.stderr
    assert neocloud(tmp_path, "init", ".").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_init_makes_an_ordinary_file(tmp_path: Path) -> None:
    neocloud(tmp_path, "init")
    mode = (tmp_path / "cloud.yaml").stat().st_mode
    assert stat.S_ISREG(mode)
    assert mode & stat.S_IRUSR
    assert mode & stat.S_IWUSR


def test_validate_sums_the_example_up(tmp_path: Path) -> None:
    done = neocloud(tmp_path, "validate", str(EXAMPLE))
    assert (done.returncode, done.stderr) == (0, "")
    for told in ("frankfurt", "ashburn", "h100-sxm", "mi300x", "gpt-oss-120b", "116.8 B", "mxfp4",
                 "2 sites", "2 models", "2 tenants", "EUR", "cooling included"):  # fmt: skip
        assert told in done.stdout, told


def test_validate_as_json(tmp_path: Path) -> None:
    document = validated(neocloud(tmp_path, "validate", str(EXAMPLE), "--json"))
    assert document["schema"] == "neocloud.validation/1"
    assert document["valid"]
    assert document["problems"] == []
    summary = document["summary"]
    assert [site["site"] for site in summary["sites"]] == ["frankfurt", "ashburn"]
    pools = [pool for site in summary["sites"] for pool in site["pools"]]
    assert summary["accelerators"] == sum(pool["accelerators"] for pool in pools)
    assert summary["requests_per_s"] == pytest.approx(
        sum(model["requests_per_s"] for model in summary["models"])
    )


WRONG = """\
name: wrong
sites:
  a:
    metro: frankfort
    pools: [{accelerator: h100-sxm, nodes: none}]
models: {}
demand: []
"""


def test_validate_tells_all_mistakes_at_once_and_exits_2(tmp_path: Path) -> None:
    (tmp_path / "cloud.yaml").write_text(WRONG)
    done = neocloud(tmp_path, "validate", "cloud.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.split(" ")[:2] for line in lines[:-1]] == [
        ["cloud.yaml:4:12:", "E204"],
        ["cloud.yaml:5:44:", "E107"],
        ["cloud.yaml:6:9:", "E107"],
        ["cloud.yaml:7:9:", "E107"],
    ]
    assert "Did you mean frankfurt?" in lines[0]
    assert "Expected: whole number from 1 to 1,000,000." in lines[1]
    assert lines[-1] == "4 mistakes."


def test_validate_tells_the_same_as_json(tmp_path: Path) -> None:
    (tmp_path / "cloud.yaml").write_text(WRONG)
    done = neocloud(tmp_path, "validate", "cloud.yaml", "--json")
    assert (done.returncode, done.stderr) == (2, "")
    document = validated(done)
    assert not document["valid"]
    assert document["summary"] is None
    assert [(p["line"], p["column"], p["code"]) for p in document["problems"]] == [
        (4, 12, "E204"), (5, 44, "E107"), (6, 9, "E107"), (7, 9, "E107"),
    ]  # fmt: skip
    assert all(p["message"] and p["remedy"] for p in document["problems"])


@pytest.mark.parametrize("name", ["gone.yaml", "."])
def test_validate_says_what_it_cannot_read(tmp_path: Path, name: str) -> None:
    done = neocloud(tmp_path, "validate", name)
    assert done.returncode == 2
    assert f"{name}: E100 cannot be read" in done.stderr
    assert done.stderr.endswith("1 mistake.\n")


def test_a_missing_argument_is_wrong_input(tmp_path: Path) -> None:
    done = neocloud(tmp_path, "validate")
    assert done.returncode == 2
    assert "CLOUD_FILE" in done.stderr


def test_validate_notes_what_no_verb_uses_yet(tmp_path: Path) -> None:
    reference = EXAMPLE.parents[1] / "reference" / "cloud.yaml"
    done = neocloud(tmp_path, "validate", str(reference))
    assert (done.returncode, done.stderr) == (0, "")
    notes = [line for line in done.stdout.splitlines() if line.startswith("Note: ")]
    lines = reference.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.strip().startswith("fabric:"))
    (told,) = [note for note in notes if "not used yet" in note]
    assert told.startswith(f"Note: {reference}:{line}: ")
    assert told.endswith(".fabric: Checked, but not used yet: it is for `deploy`.")
    document = validated(neocloud(tmp_path, "validate", str(reference), "--json"))
    assert [f"Note: {n['file']}:{n['line']}: {n['message']}" for n in document["notes"]] == notes


def test_a_company_in_figures_is_told_what_can_be_done_with_it(tmp_path: Path) -> None:
    company = EXAMPLE.parents[1] / "public" / "iren-microsoft.yaml"
    done = neocloud(tmp_path, "validate", str(company))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"is valid. Next: neocloud report {company}\n")
    assert "metro" not in done.stdout, "no tables of what it has not"


def test_the_schema_lets_an_editor_check_a_file(tmp_path: Path) -> None:
    printed = neocloud(tmp_path, "schema")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == (ROOT / "schemas" / "cloud.schema.json").read_text()
    written = neocloud(tmp_path, "schema", "--out", "cloud.schema.json")
    assert "# yaml-language-server: $schema=cloud.schema.json" in written.stdout
    assert (tmp_path / "cloud.schema.json").read_text() == printed.stdout
    failed = neocloud(tmp_path, "schema", "--out", "gone/cloud.schema.json")
    assert failed.returncode == 2
    assert "gone/cloud.schema.json cannot be written: No such file" in failed.stderr
