"""`key`, `usage`, `invoice` and `report` as a user meets them, on a ledger that a plan filled."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from neocloud.ledger import KeyRing, KeyStore, Status
from neocloud.planner import write_plan

from ..books.metering import TEXT, Metering, event, write_ledger  # noqa: TID252  (one plan, one ledger)

SCHEMAS = Path(__file__).parents[2] / "schemas"
TERMINAL = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "160"}


def neocloud(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb as a user does; whatever happens, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "neocloud.cli.main", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, env=TERMINAL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def told(folder: Path, *arguments: str) -> str:
    """Standard output of a verb that does what it should."""
    done = neocloud(folder, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    (tmp_path / "cloud.yaml").write_text(TEXT)
    return tmp_path


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cloud, plan, and the ledger of two minutes with slow engines."""
    folder = tmp_path_factory.mktemp("metered")
    (folder / "cloud.yaml").write_text(TEXT)
    made = Metering(1.2)
    write_plan(made.plan, folder / "plan.json")
    write_ledger(
        folder / "ledger.db",
        [*made.events, event(-1, tenant="rhein", status=Status.FAILED, output_tokens=0)],
        made.allocation, made.energy, still_open=[event(500_000, tenant="rhein")],
    )  # fmt: skip
    return folder


def test_a_key_is_shown_once_and_known_to_the_gateway(cloud: Path):
    done = neocloud(cloud, "key", "create", "cloud.yaml", "--tenant", "acme", "--name", "laptop")
    assert done.returncode == 0
    (key,) = done.stdout.splitlines()
    assert "not shown again" in done.stderr
    store = KeyStore(cloud / "ledger.db")
    found = KeyRing(store.keys()).find(key.encode())
    assert found is not None
    assert (found.tenant, found.name) == ("acme", "laptop")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    secret = key.removeprefix(f"nc-{found.key_id}-")
    assert secret.encode() not in store.path.read_bytes()
    for listed in (
        told(cloud, "key", "list", "cloud.yaml"),
        told(cloud, "key", "list", "cloud.yaml", "--json"),
    ):
        assert found.key_id in listed
        assert "laptop" in listed
        assert secret not in listed
        assert found.hash.hex() not in listed


def test_a_revoked_key_is_refused_and_stays_listed(cloud: Path):
    made = json.loads(told(cloud, "key", "create", "cloud.yaml", "--tenant", "acme", "--json"))
    assert told(cloud, "key", "revoke", "cloud.yaml", made["key_id"]).startswith("Key ")
    assert KeyRing(KeyStore(cloud / "ledger.db").keys()).find(made["key"].encode()) is None
    (listed,) = json.loads(told(cloud, "key", "list", "cloud.yaml", "--json"))
    assert (listed["key_id"], listed["tenant"]) == (made["key_id"], "acme")
    assert (listed["prefix"], listed["in_force"]) == (f"nc-{made['key_id']}", False)
    assert listed["revoked"] >= listed["created"]
    again = neocloud(cloud, "key", "revoke", "cloud.yaml", made["key_id"])
    assert again.returncode == 2
    assert "was revoked before" in again.stderr
    other = neocloud(cloud, "key", "revoke", "cloud.yaml", made["key_id"][:-1])
    assert other.returncode == 2
    assert f"Nearest: {made['key_id']}" in other.stderr


def test_a_cloud_without_keys_says_how_to_make_one(cloud: Path):
    assert "neocloud key create cloud.yaml" in told(cloud, "key", "list", "cloud.yaml")
    assert json.loads(told(cloud, "key", "list", "cloud.yaml", "--json")) == []


def test_keys_of_a_folder_that_is_not_there(cloud: Path):
    (cloud / "far.yaml").write_text(TEXT + "gateway: {ledger: 'sqlite:///far/ledger.db'}\n")
    done = neocloud(cloud, "key", "create", "far.yaml", "--tenant", "acme")
    assert (done.returncode, done.stdout) == (2, "")
    assert "far/ledger.db.keys" in done.stderr


def test_usage_by_tenant_model_and_status(metered: Path):
    shown = told(metered, "usage", "cloud.yaml")
    requests = Metering(1.2).events
    assert f"{len(requests) + 1:,} requests ended" in shown
    assert "1 is open" in shown
    row = next(line.split() for line in shown.splitlines() if "acme" in line)
    assert row == [
        "acme", "llama", "completed", f"{len(requests):,}",
        f"{sum(e.input_tokens for e in requests):,}", "0",
        f"{sum(e.output_tokens for e in requests):,}", "0", f"{len(requests):,}", "0",
    ]  # fmt: skip
    mine = json.loads(told(metered, "usage", "cloud.yaml", "--tenant", "rhein", "--json"))
    ((line,), count) = mine["lines"], mine["open_requests"]
    assert (line["tenant"], line["status"], line["requests"], count) == ("rhein", "failed", 1, 1)


def test_usage_as_json_has_totals_and_lines_by_what_was_asked(metered: Path):
    found = json.loads(
        told(metered, "usage", "cloud.yaml", "--by", "model,day,status,site", "--json")
    )
    events = [
        *Metering(1.2).events,
        event(-1, tenant="rhein", status=Status.FAILED, output_tokens=0),
    ]
    assert (found["schema"], found["by"]) == (
        "neocloud.usage/1", ["model", "day", "status", "site"],
    )  # fmt: skip
    for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"):
        assert found[name] == sum(getattr(e, name) for e in events)
        assert found[name] == sum(line[name] for line in found["lines"])
    assert found["requests"] == len(events)
    assert found["by_status"] == {"completed": len(events) - 1, "failed": 1}
    assert [(u["model"], u["day"], u["status"], u["site"]) for u in found["lines"]] == [
        ("llama", "2026-10-05", "completed", "ashburn"),
        ("llama", "2026-10-05", "failed", "ashburn"),
    ]
    assert "tenant" not in found["lines"][0]
    schema = json.loads((SCHEMAS / "usage.schema.json").read_text())
    jsonschema.validate(found, schema)
    shown = told(metered, "usage", "cloud.yaml", "--by", "hour, key")
    row = next(line.split() for line in shown.splitlines() if "13:00" in line)
    assert row[:2] == ["2026-10-05T13:00:00Z", "k"]


def test_usage_needs_no_cloud_file(metered: Path):
    asked = ("usage", "--ledger", "sqlite:///ledger.db", "--json")
    assert told(metered, *asked) == told(metered, "usage", "cloud.yaml", "--json")
    early = ("--period", "2026-10-05T12:00:00Z/2026-10-05T13:00:00Z")
    found = json.loads(told(metered, *asked, *early))
    assert [(u["tenant"], u["requests"]) for u in found["lines"]] == [("rhein", 1)]
    assert found["open_requests"] == 0
    assert "0 requests ended" in told(metered, *asked[:3], "--period", "2026-11")


def test_invoice_of_all_there_is_and_of_a_period(metered: Path):
    shown = told(metered, "invoice", "cloud.yaml", "--tenant", "acme")
    for part in ("SPECIMEN", "Acme Corporation", "llama, output tokens", "Total USD", "emulated"):
        assert part in shown
    whole = json.loads(told(metered, "invoice", "cloud.yaml", "--tenant", "acme", "--json"))
    assert whole["kind"] == "specimen"
    assert whole["requests"]["total"] == len(Metering(1.2).events)
    assert [line["meter"] for line in whole["lines"]] == ["input", "output"]
    schema = json.loads((SCHEMAS / "invoice.schema.json").read_text())
    jsonschema.validate(whole, schema)
    assert (whole["total"], whole["number"]) == (whole["subtotal"], None)
    later = told(
        metered, "invoice", "cloud.yaml", "--tenant", "acme", "--period", "2026-11", "--json"
    )
    assert json.loads(later)["total"] in {"0", "0.00"}


def test_report_finds_the_slow_engine_and_draws_it(metered: Path):
    shown = told(metered, "report", "cloud.yaml", "--picture", "report.png")
    assert re.search(r"efficiency: steps took 1\.(19|20)\d* times", shown)
    assert shown.endswith("Picture: report.png\n")
    assert (metered / "report.png").read_bytes().startswith(b"\x89PNG")
    whole = json.loads(told(metered, "report", "cloud.yaml", "--plan", "plan.json", "--json"))
    found = whole["tiers"]
    (model,) = found["models"]
    assert model["step_time_factor"] == pytest.approx(1.2, abs=0.02)
    assert found["requests_by_status"] == {"completed": found["requests"] - 1, "failed": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("key",), "revoke"),
        (("key", "create", "cloud.yaml"), "--tenant"),
        (("key", "create", "cloud.yaml", "--tenant", "acm"), "Nearest: acme."),
        (("key", "create", "cloud.yaml", "--tenant", "x"), "Known: acme, rhein."),
        (("key", "create", "none.yaml", "--tenant", "acme"), "none.yaml"),
        (("key", "revoke", "cloud.yaml", "0123"), "no key '0123'"),
        (("usage",), "neocloud usage FILE"),
        (("usage", "cloud.yaml", "--tenant", "rhine"), "Nearest: rhein."),
        (("usage", "--ledger", "ledger.db"), "sqlite:///ledger.db"),
        (("usage", "--ledger", "sqlite:///other.db"), "no ledger at"),
        (("usage", "--ledger", "sqlite:///cloud.yaml"), "not a ledger"),
        (("usage", "cloud.yaml", "--by", "model,week"), "no 'week'. All: tenant, model, day"),
        (("usage", "cloud.yaml", "--by", "tenants"), "Nearest: tenant."),
        (("usage", "cloud.yaml", "--by", "day,day"), "name each once"),
        (("usage", "--ledger", "sqlite:///ledger.db", "--tenant", "acm"), "Nearest: acme."),
        (("usage", "cloud.yaml", "--period", "October"), "write 2026-10"),
        (("usage", "cloud.yaml", "--period", "2026-11-02/2026-11-01"), "end after it starts"),
        (("invoice", "cloud.yaml", "--tenant", "acm"), "Nearest: acme."),
        (("invoice", "cloud.yaml", "--tenant", "acme", "--period", "2026-13"), "not a period"),
        (("report", "cloud.yaml", "--plan", "none.json"), "neocloud plan"),
        (("report", "cloud.yaml", "--picture", "report.doc"), ".png or .svg"),
        (("report", "cloud.yaml", "--picture", "none/report.png"), "none/report.png"),
        (("report", "cloud.yaml", "--period", "2026-11"), "holds no usage in 2026-11-01"),
    ],
)
def test_wrong_use_ends_with_2(metered: Path, arguments, message):
    done = neocloud(metered, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_ledger_that_is_not_there_or_holds_nothing(cloud: Path):
    asked = ("invoice", "cloud.yaml", "--tenant", "acme")
    missing = neocloud(cloud, *asked)
    assert missing.returncode == 2
    assert "`neocloud up` makes one" in missing.stderr
    write_ledger(cloud / "ledger.db", [])
    empty = neocloud(cloud, *asked)
    assert empty.returncode == 2
    assert "holds nothing yet" in empty.stderr
    assert "0 requests ended" in told(cloud, "usage", "cloud.yaml")


def test_a_model_that_lost_its_price_is_told(cloud: Path):
    write_ledger(cloud / "ledger.db", [event(model="gone")])
    done = neocloud(cloud, "invoice", "cloud.yaml", "--tenant", "acme")
    assert done.returncode == 2
    assert "acme used model gone on 2026-10-05" in done.stderr
    assert "which has no price" in done.stderr


def test_a_plan_of_another_file_is_refused(metered: Path):
    (metered / "changed.yaml").write_text(TEXT.replace("0.55", "0.56"))
    done = neocloud(metered, "report", "changed.yaml")
    assert done.returncode == 2
    assert "Plan again: neocloud plan changed.yaml" in done.stderr
