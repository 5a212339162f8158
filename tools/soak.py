"""`make soak`: kill, flood and weigh the gateway for minutes, then compare it with what was given.

Half of the time a gateway under load is killed again and again; the other half it lives on, under
requests of which none is like another, and its memory is written down. The ledger is then compared
with what the clients saw and with the upstream's own count. Status 1 if they differ.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run it and say what came of it."""
    parser = argparse.ArgumentParser(description="The long crash test of the gateway.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--requests", type=int, default=1_000_000, help="at least so many")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # the harness is that of the tests
    soaking = importlib.import_module("tests.gateway.crash.soaking")
    with tempfile.TemporaryDirectory(prefix="neocloud-soak-") as folder:
        soak = soaking.Soak(
            Path(folder), given.minutes, given.requests, lambda line: print(line, flush=True)
        )
        came = soak.run()
    print(
        f"{came.requests:,} requests at the upstream, {came.events:,} events, "
        f"{came.whole:,} answers seen whole; {came.kills} kills met {came.in_flight:,} requests"
    )
    print(", ".join(f"{count:,} {status}" for status, count in sorted(came.statuses.items())))
    for line in came.wrong:
        print(f"WRONG: {line}")
    return 1 if came.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
