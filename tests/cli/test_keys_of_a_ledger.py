"""`neocloud key` where there is a ledger and no cloud file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from neocloud.cli.failure import Failure
from neocloud.cli.key import command
from neocloud.ledger import keys_of

LEDGER = ("--ledger", "sqlite:///usage.db")
EXAMPLE = Path(__file__).parents[2] / "examples/two-sites/cloud.yaml"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def key(*words: str) -> str:
    return CliRunner().invoke(command, words, catch_exceptions=False).stdout


def made(*words: str) -> dict[str, str]:
    return json.loads(key(*words, *LEDGER, "--json"))


def refused(*words: str) -> str:
    result = CliRunner().invoke(command, words)
    if isinstance(result.exception, Failure):
        return str(result.exception)
    assert result.exit_code == 2, result.output
    return result.output


def test_a_ledger_that_is_not_there_is_told(tmp_path: Path) -> None:
    for words in ((), ("--json",)):
        said = refused("list", *LEDGER, *words)
        assert "no ledger at" in said
        assert "neocloud key create --ledger sqlite:///usage.db" in said
    assert not (tmp_path / "usage.db.keys").exists()
    (tmp_path / "usage.db").touch()  # a ledger without keys
    assert "No keys yet" in key("list", *LEDGER)


def test_a_key_is_made_listed_rotated_and_revoked_for_the_default_tenant(tmp_path: Path) -> None:
    first = made("create")
    assert first["tenant"] == "default"
    assert made("create", "--tenant", "acme", "--name", "app")["tenant"] == "acme"
    second = made("rotate", first["key_id"])
    third = made("rotate", f"nc-{second['key_id']}", "--grace", "600")
    assert "is revoked" in key("revoke", third["key_id"], *LEDGER)
    listed = json.loads(key("list", *LEDGER, "--json"))
    in_force = {each["key_id"]: each["in_force"] for each in listed}
    assert in_force[first["key_id"]] is False
    assert in_force[second["key_id"]] is True  # within its grace
    assert in_force[third["key_id"]] is False
    kept = keys_of(tmp_path / "usage.db").keys()
    assert len(kept) == len(listed) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create",), "whose keys?"),
        (("list",), "whose keys?"),
        (("revoke", "abc"), "whose keys?"),
        (("create", "cloud.yaml", *LEDGER), "not both"),
        (("rotate", "cloud.yaml", "abc", *LEDGER), "not both"),
        (("revoke", "cloud.yaml", "a", "b"), "one key at a time"),
        (("revoke", "gone", *LEDGER), "no key 'gone'"),
        (("create", "cloud.yaml"), "whose key? --tenant"),
        (("create", "--ledger", "mysql://x"), "is not a ledger"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "cloud.yaml").write_text(EXAMPLE.read_text())
    assert said in refused(*words)
