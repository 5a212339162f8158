"""`ledger`, `export` and the keys of every kind of ledger, as a user meets them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pyarrow.parquet as pq
import pytest

from neocloud.ledger import KeyRing, ledger_place
from neocloud.ledger.postgresql import PostgresqlKeys

from ..ledger.filling import filled, write  # noqa: TID252  (one way to fill a ledger)
from ..servers.postgresql import shared  # noqa: TID252  (a real server)
from .test_ledger_verbs import SCHEMAS, TEXT, neocloud, told

FILE = "sqlite:///ledger.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a cloud and a ledger of 100 requests, 40 of them not shipped."""
    (tmp_path / "cloud.yaml").write_text(TEXT)
    filled(tmp_path)
    return tmp_path


@pytest.fixture
def database() -> str:
    return shared().database()


def hash_of(folder: Path, *where: str) -> str:
    found = json.loads(told(folder, "ledger", "verify", *where, "--json"))
    jsonschema.validate(found, json.loads((SCHEMAS / "ledger-check.schema.json").read_text()))
    assert found["problems"] == []
    return found["contents"]["sha256"]


def test_verify_tells_counts_and_hash(folder: Path):
    shown = told(folder, "ledger", "verify", "cloud.yaml")
    assert "100 usage events, 10 spans of allocation, 10 of energy, 10 failed attempts" in shown
    assert "3 segments with 52 events not shipped yet" in shown
    assert hash_of(folder, "--ledger", FILE) in shown


def test_segments_may_lie_elsewhere(folder: Path):
    (folder / "ledger.db.segments").rename(folder / "fast")
    assert "60 usage events" in told(folder, "ledger", "verify", "cloud.yaml")
    for where in (("cloud.yaml",), ("--ledger", FILE)):
        assert "100 usage events" in told(folder, "ledger", "verify", *where, "--segments", "fast")
    (folder / "fast.yaml").write_text(TEXT + "gateway: {segments: fast}\n")
    assert "100 usage events" in told(folder, "ledger", "verify", "fast.yaml")


def test_verify_of_a_damaged_ledger_ends_with_2_and_says_where(folder: Path):
    segment = max((folder / "ledger.db.segments" / "worker-1").glob("*.log"))
    segment.write_bytes(b"nonsense" + segment.read_bytes()[8:])
    for form in ((), ("--json",)):
        done = neocloud(folder, "ledger", "verify", "cloud.yaml", *form)
        assert done.returncode == 2
        assert str(segment.relative_to(folder)) in (done.stdout if form else done.stderr)


def test_backup_is_a_ledger_to_read_and_go_on_from(folder: Path):
    told(folder, "key", "create", FILE, "--tenant", "acme", "--json")
    shown = told(folder, "ledger", "backup", "cloud.yaml", "--to", "copy")
    assert "copy: 100 usage events" in shown
    there = shown.split()[-1]
    assert there == "sqlite:///copy/ledger.db"
    assert hash_of(folder, "--ledger", there) == hash_of(folder, "cloud.yaml")
    assert json.loads(told(folder, "key", "list", there, "--json")) == json.loads(
        told(folder, "key", "list", FILE, "--json")
    )


def test_compact_says_what_it_did_and_that_no_event_went(folder: Path):
    before = hash_of(folder, "cloud.yaml")
    shown = told(folder, "ledger", "compact", "cloud.yaml")
    assert "52 events shipped, 3 segments deleted" in shown
    assert "No event was removed: none is marked as billed. It holds 100 usage events" in shown
    assert hash_of(folder, "cloud.yaml") == before


def test_a_ledger_moves_to_postgresql_with_its_keys_and_goes_on_there(folder: Path, database: str):
    text = told_key(folder, "key", "create", "cloud.yaml", "--tenant", "acme")
    shown = told(folder, "ledger", "migrate", "cloud.yaml", "--to", database)
    assert "100 usage events" in shown
    assert "1 key." in shown
    assert shared().password not in shown
    assert hash_of(folder, "--ledger", database) == hash_of(folder, "cloud.yaml")
    assert hash_of(folder, "cloud.yaml") in shown
    # The file now names the database; what is not shipped lies in this machine's segments.
    moved = folder / "moved.yaml"
    moved.write_text(TEXT + f"gateway: {{ledger: '{database}'}}\n")
    found = json.loads(told(folder, "usage", "moved.yaml", "--by", "model,day", "--json"))
    assert found["requests"] == 100
    other = ledger_place(f"sqlite:///{folder}/other.db", folder)
    write(other, 700, 5)
    other.segments.rename(folder / "ledger-segments")
    found = json.loads(told(folder, "usage", "--ledger", database, "--json"))
    assert found["requests"] == 105
    assert "105 usage events" in told(folder, "ledger", "verify", "moved.yaml")
    assert "No event was removed" in told(folder, "ledger", "compact", "moved.yaml")
    assert not list((folder / "ledger-segments").glob("*/*.log"))
    keys = PostgresqlKeys(database)
    found_key = KeyRing(keys.keys()).find(text.encode())
    assert found_key is not None
    second = told_key(folder, "key", "rotate", "moved.yaml", f"nc-{found_key.key_id}")
    ring = KeyRing(keys.keys(), time.time_ns())
    assert ring.find(text.encode()) is None
    assert ring.find(second.encode()) is not None
    keys.close()


def told_key(folder: Path, *arguments: str) -> str:
    """The key that a verb prints."""
    done = neocloud(folder, *arguments)
    assert done.returncode == 0, done.stderr
    assert "not shown again" in done.stderr
    return done.stdout.strip()


def test_a_key_is_rotated_at_once_or_with_grace(folder: Path):
    first = told_key(folder, "key", "create", "cloud.yaml", "--tenant", "acme", "--name", "laptop")
    second = json.loads(
        told(
            folder, "key", "rotate", "cloud.yaml", first.split("-")[1], "--grace", "3600", "--json"
        )
    )
    assert (second["tenant"], second["name"]) == ("acme", "laptop")
    listed = {k["key_id"]: k for k in json.loads(told(folder, "key", "list", FILE, "--json"))}
    old, new = listed[first.split("-")[1]], listed[second["key_id"]]
    assert (old["in_force"], old["revoked"] > old["created"]) == (True, True)
    assert (new["in_force"], new["revoked"], new["prefix"]) == (True, None, f"nc-{new['key_id']}")
    shown = told(folder, "key", "list", "cloud.yaml")
    assert f"{old['prefix']}-…" in shown
    assert f"from {old['revoked']} on" in shown
    assert first not in shown
    told_key(folder, "key", "rotate", "cloud.yaml", old["key_id"])
    again = neocloud(folder, "key", "rotate", "cloud.yaml", old["key_id"])
    assert (again.returncode, again.stdout) == (2, "")
    assert "was revoked before" in again.stderr


def test_export_to_both_forms_for_a_period_and_a_tenant(folder: Path):
    assert "usage.csv: 100 rows of usage." in told(
        folder, "export", "csv", "--ledger", FILE, "--out", "usage.csv"
    )
    with (folder / "usage.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(int(row["output_tokens"]) for row in rows) == list(range(100))
    told(folder, "export", "parquet", "cloud.yaml", "--tenant", "acme", "--out", "u.parquet")
    assert sorted(pq.read_table(folder / "u.parquet")["output_tokens"].to_pylist()) == list(
        range(100)
    )
    for records, count in (("allocation", 10), ("energy", 10), ("attempts", 10)):
        shown = told(folder, "export", "csv", "cloud.yaml", "--records", records, "--out", "a.csv")
        assert f"a.csv: {count} rows of {records}." in shown
    later = ("--period", "2030-01", "--out", "none.csv")
    assert "none.csv: 0 rows" in told(folder, "export", "csv", "cloud.yaml", *later)
    assert (folder / "none.csv").read_text().startswith("request_id,tenant,")


def test_parquet_without_its_extra_says_what_to_install(folder: Path):
    program = (
        "import sys; sys.modules['pyarrow'] = None; from neocloud.cli.main import main; main()"
    )
    done = subprocess.run(
        [
            sys.executable, "-c", program, "export", "parquet", "cloud.yaml", "--out", "a.parquet",
        ],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Parquet needs pyarrow: pip install 'neocloud[parquet]'\n"
    assert not (folder / "a.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ledger", "verify"), "neocloud ledger verify FILE"),
        (("ledger", "verify", "--ledger", "sqlite:///none.db"), "no ledger at"),
        (("ledger", "verify", "--ledger", "sqlite:///cloud.yaml"), "not a ledger"),
        (("ledger", "verify", "--ledger", "mysql://h/x"), "is not a ledger; write sqlite:///"),
        (("ledger", "backup", "cloud.yaml"), "--to"),
        (("ledger", "backup", "cloud.yaml", "--to", "ledger.db.segments"), "is there already"),
        (("ledger", "backup", "cloud.yaml", "--to", "ledger.db/copy"), "ledger.db"),
        (("ledger", "backup", "--ledger", "postgresql://h/x", "--to", "copy"), "pg_dump"),
        (("ledger", "compact", "--ledger", "sqlite:///none.db"), "no ledger at"),
        (("ledger", "migrate", "cloud.yaml"), "--to"),
        (("ledger", "migrate", "cloud.yaml", "--to", FILE), "to itself"),
        (("ledger", "migrate", "cloud.yaml", "--to", "postgresql://127.0.0.1:1/x"), "refused"),
        (("ledger", "migrate", "cloud.yaml", "--to", "postgresql://o:s3@t@h/x"), "%40"),
        (("export", "xlsx", "cloud.yaml", "--out", "a"), "'parquet', 'csv'"),
        (("export", "csv", "cloud.yaml"), "--out"),
        (("export", "csv", "--out", "a.csv"), "neocloud export csv FILE"),
        (("export", "csv", "cloud.yaml", "--out", "none/a.csv"), "No such file"),
        (("export", "csv", "cloud.yaml", "--tenant", "acm", "--out", "a.csv"), "Nearest: acme."),
        (("export", "csv", "cloud.yaml", "--period", "May", "--out", "a.csv"), "write 2026-10"),
        (("key", "rotate", "cloud.yaml", "0123"), "no key '0123'"),
        (("key", "rotate", "cloud.yaml", "0123", "--grace", "-1"), "--grace"),
        (("key", "list", "postgresql://o:s3@127.0.0.1:1/x"), "refused"),
        (("usage", "--ledger", "postgresql://o:s3@127.0.0.1:1/x"), "refused"),
    ],
)  # fmt: skip
def test_wrong_use_ends_with_2(folder: Path, arguments, message):
    done = neocloud(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "s3" not in done.stderr
    assert not (folder / "a.csv").exists()
