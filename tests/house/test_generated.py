"""The generated pages and schemas are what their sources make now."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from .tree import ROOT

SCHEMAS = ROOT / "schemas"


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/docs/generate.py", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_pages_and_schemas_are_up_to_date() -> None:
    checked = generate("--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_stale_or_missing_file_is_told(tmp_path: Path) -> None:
    assert generate("--to", str(tmp_path)).returncode == 0
    assert generate("--check", "--to", str(tmp_path)).returncode == 0
    page = tmp_path / "docs/reference/cloud-file.md"
    page.write_text(page.read_text().replace("pue", "peu"))
    (tmp_path / "schemas/plan.schema.json").unlink()
    checked = generate("--check", "--to", str(tmp_path))
    assert checked.returncode == 1
    told = [line.split()[0] for line in checked.stdout.splitlines()]
    assert told == ["docs/reference/cloud-file.md", "schemas/plan.schema.json"]


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_schemas_are_schemas_with_name_and_version(path: Path) -> None:
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    name, _, version = schema["title"].partition("/")
    assert name.startswith("neocloud.")
    assert version.isdecimal()


def read(text: str) -> Any:
    """A file as editors see it: they follow YAML 1.2, where a day is text."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def errors(schema: str, document: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(
        json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
    )
    return [error.message for error in validator.iter_errors(document)]


@pytest.mark.parametrize(
    "path", [ROOT / "examples/two-sites/cloud.yaml", ROOT / "src/neocloud/cli/templates/cloud.yaml"]
)
def test_the_schema_takes_our_files_and_refuses_a_typo(path: Path) -> None:
    text = path.read_text()
    assert errors("cloud", read(text)) == []
    assert text.count("tpot_ms") >= 1
    (told, *_) = errors("cloud", read(text.replace("metro:", "metre:")))
    assert "metre" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sites": {"a": {"metro": "frankfurt", "pools": []}}}, "[]"),
        ({"currency": "usd"}, "usd"),
        ({"tenants": {"a b": None}}, "a b"),
        ({"gateway": {"listen": "127.0.0.1:70000"}}, "70000"),
        ({"demand": "none"}, "none"),
    ],
)
def test_the_schema_holds_bounds_and_forms(change: dict[str, object], told: str) -> None:
    document = read((ROOT / "examples/two-sites/cloud.yaml").read_text())
    found = errors("cloud", document | change)
    assert found
    assert any(told in message for message in found), found


def test_the_schema_takes_what_the_loader_takes_short() -> None:
    document = read((ROOT / "examples/two-sites/cloud.yaml").read_text())
    document["tenants"] = {"acme": None, "rheingold": {"allowed_sites": "frankfurt"}}
    document["demand"][0]["metros"] = "internet-users"
    document["gateway"] = None
    assert errors("cloud", document) == []


@pytest.mark.parametrize("price", [{}, {"usd_per_mwh": 1, "eur_per_mwh": 1}])
def test_the_schema_wants_one_price_of_power(price: dict[str, int]) -> None:
    document = read((ROOT / "examples/two-sites/cloud.yaml").read_text())
    document["sites"]["ashburn"]["power"] = [price]
    assert len(errors("cloud", document)) == 1
