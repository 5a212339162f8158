"""Rating a month beside its peers: processor time and memory, one after the other in one run.

    make bench-books
    python bench/books/peers.py [--events 1000000] [--python PYTHON]

Peers get the same events and the same prices; each runs as a process of its own on one core:

- `sqlite`: a roll-up in SQL, as usage meters do it, over the ledger's own file;
- `duckdb`: the same over the events as `neocloud export parquet` writes them, with one thread;
- `litellm`: its price of each request, `cost_per_token`, in floats; of a tenth of the events.

They are installed into out/bench/venvs/books unless --python names an interpreter that has them;
one that cannot be had is skipped and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / "out" / "bench" / "venvs" / "books"
PEERS = ("duckdb==2.0.1", "litellm==1.110.2")
PRICES = {"input": 260_000, "cached": 50_000, "output": 550_000}
"""Of a token, 1e-12 dollars: those of `month.version`."""
_BOUND = 10**6
"""Above which the second tier has half the price."""

_PLAIN = (
    "SELECT tenant, model, sum(input_tokens - cached_tokens) * 260000 + sum(cached_tokens) * 50000 "
    "+ sum(output_tokens) * 550000 FROM {events} WHERE status IN ('completed', 'aborted') "
    "GROUP BY tenant, model"
)
# The most discounted tokens of a month fill the first tier.
_RICH = """
WITH sums AS (
  SELECT tenant, model,
    CASE WHEN hour IN (2, 3) THEN 90 WHEN hour IN (4, 5) THEN 80 ELSE 100 END AS percent,
    sum(input_tokens - cached_tokens) AS input, sum(cached_tokens) AS cached,
    sum(output_tokens) AS output
  FROM (SELECT *, admitted_ns {div} 3600000000000 % 24 AS hour FROM {events})
  WHERE status IN ('completed', 'aborted') GROUP BY 1, 2, 3
), metered AS (
  SELECT tenant, model, 1 AS meter, percent, input AS tokens, 260000 AS price FROM sums UNION ALL
  SELECT tenant, model, 2, percent, cached, 50000 FROM sums UNION ALL
  SELECT tenant, model, 3, percent, output, 550000 FROM sums
), placed AS (
  SELECT *, sum(tokens) OVER (PARTITION BY tenant, model, meter ORDER BY percent) AS upto
  FROM metered
)
SELECT tenant, model, sum(
  ({least}(upto, 1000000) - {least}(upto - tokens, 1000000)) * (price * percent {div} 100)
  + ({most}(upto, 1000000) - {most}(upto - tokens, 1000000)) * (price {div} 2 * percent {div} 100)
) FROM placed GROUP BY tenant, model
"""


def ours(ledger: Path, rich: bool) -> float:
    from month import version

    from neocloud.books.prices import PriceBook
    from neocloud.books.rating import rate
    from neocloud.ledger import Reader

    lines = rate(PriceBook(current=version(rich)), Reader(ledger).usage()).lines
    return sum(line.pico for line in lines)


def sqlite(ledger: Path, rich: bool) -> float:
    import sqlite3

    query = _RICH if rich else _PLAIN
    query = query.format(events="usage", div="/", least="min", most="max")
    rows = sqlite3.connect(ledger).execute(query).fetchall()
    return sum(row[2] for row in rows)


def duckdb(ledger: Path, rich: bool) -> float:
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    query = _RICH if rich else _PLAIN
    events = f"read_parquet('{ledger.with_suffix('.parquet')}')"
    query = query.format(events=events, div="//", least="least", most="greatest")
    return sum(int(row[2]) for row in connection.execute(query).fetchall())


def litellm(ledger: Path, rich: bool) -> float:
    """Plain prices alone: it knows neither tiers by a month's sum nor hours."""
    assert not rich
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import sqlite3

    import litellm

    per_token = {
        "input_cost_per_token": PRICES["input"] / 1e12,
        "cache_read_input_token_cost": PRICES["cached"] / 1e12,
        "output_cost_per_token": PRICES["output"] / 1e12,
        "litellm_provider": "openai", "mode": "chat", "max_tokens": 10**6,
    }  # fmt: skip
    connection = sqlite3.connect(ledger)
    models = [row[0] for row in connection.execute("SELECT DISTINCT model FROM usage")]
    litellm.register_model({f"openai/{model}": dict(per_token) for model in models})
    query = "SELECT model, input_tokens, cached_tokens, output_tokens, status FROM usage LIMIT ?"
    events = connection.execute("SELECT count(*) FROM usage").fetchone()[0] // 10
    total = 0.0
    start_s = time.process_time()
    for model, read, cached, written, status in connection.execute(query, (events,)):
        if status in ("completed", "aborted"):
            prompt, completion = litellm.cost_per_token(
                model=f"openai/{model}", prompt_tokens=read, completion_tokens=written,
                cache_read_input_tokens=cached,
            )  # fmt: skip
            total += prompt + completion
    # Importing takes it seconds, which are not of rating; ours are left in.
    print(json.dumps({"cpu_s": (time.process_time() - start_s) * 10}), file=sys.stderr)
    return total * 1e12


RUNS: dict[str, Callable[[Path, bool], float]] = {
    "neocloud": ours, "sqlite": sqlite, "duckdb": duckdb, "litellm": litellm,
}  # fmt: skip


def measure(name: str, ledger: Path, rich: bool) -> None:
    """Rate in this process and print what it took."""
    start_s = time.process_time()
    pico = RUNS[name](ledger, rich)
    cpu_s = time.process_time() - start_s
    # `ru_maxrss` would count what stood here before this program took the place.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(re.search(r"VmHWM:\s*(\d+)", status)[1]) // 1024  # type: ignore[index]
    print(json.dumps({"pico": pico, "cpu_s": cpu_s, "mib": peak}))


def prepared(python: str | None) -> str:
    """An interpreter that has the peers."""
    if python is not None:
        return python
    at = VENV / "bin" / "python"
    if not at.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", VENV], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(at), "install", "-q", *PEERS]
        subprocess.run(pip, check=False)
    return str(at)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--events", type=int, default=1_000_000)
    asked.add_argument("--python", help="interpreter that has duckdb and litellm")
    asked.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    asked.add_argument("--ledger", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--rich", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.run:
        measure(given.run, given.ledger, given.rich)
        return
    compare(given.events, prepared(given.python))


def compare(events: int, python: str) -> None:
    from month import fill

    from neocloud.ledger import Reader
    from neocloud.ledger.export import export_parquet
    from neocloud.ledger.schema import USAGE

    with tempfile.TemporaryDirectory(dir=".") as folder:
        ledger = Path(folder) / "ledger.db"
        fill(ledger, events)
        export_parquet(USAGE, Reader(ledger).usage(), ledger.with_suffix(".parquet"))
        print(f"{events:,} events, Python {platform.python_version()}; processor time on one core")
        for rich in (False, True):
            print("tiers and off-peak" if rich else "plain prices")
            first: tuple[float, float] | None = None
            for name in RUNS:
                if rich and name == "litellm":
                    print("  litellm     has no tiers by a month's sum")
                    continue
                interpreter = sys.executable if name in ("neocloud", "sqlite") else python
                first = report(name, interpreter, ledger, rich, first)


def report(
    name: str, python: str, ledger: Path, rich: bool, first: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Run one of them and print it beside the first, which is ours."""
    call = [python, __file__, "--run", name, "--ledger", str(ledger), *["--rich"] * rich]
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        call, capture_output=True, text=True, check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )  # fmt: skip
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:]
        print(f"  {name:10}  skipped: {''.join(why)}")
        return first
    found = json.loads(done.stdout.strip().splitlines()[-1])
    for line in done.stderr.splitlines():
        if line.startswith('{"cpu_s"'):
            found |= json.loads(line)
    first = first or (found["cpu_s"], found["pico"])
    same = "the same money to 1e-12" if found["pico"] == first[1] else "in floats, of a tenth"
    print(
        f"  {name:10}  {found['cpu_s']:7.2f} s  {found['cpu_s'] / first[0]:6.2f} times ours  "
        f"{found['mib']:5} MiB  {same}",
        flush=True,
    )
    return first


if __name__ == "__main__":
    main()
