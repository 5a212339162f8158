"""How fast the search for a front is, on one core: make bench.

A point is one configuration at one batch. Times are those of the processor, from the model's
architecture to the finished front over all accelerators that can be priced; start-up and the
reading of tables are not in them, nor what the search remembers of an earlier one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

MODELS = ("deepseek-ai/DeepSeek-R1", "meta-llama/Meta-Llama-3.1-8B")
ROUNDS = 3


def once(model: str) -> tuple[int, float]:
    """Points examined and seconds, in this process."""
    from neocloud.catalog import load_catalog
    from neocloud.perf import predictor_with
    from neocloud.planner.searches import front_of, priced_accelerators
    from neocloud.planner.standalone import Wish, standalone

    catalog, predictor = load_catalog(), predictor_with(None)
    keys, _ = priced_accelerators(catalog, predictor)
    start = time.process_time()
    cloud, asked = standalone(Wish(model=model), keys, catalog)
    front = front_of(asked, cloud, catalog, predictor)
    return front.examined, time.process_time() - start


def fresh(model: str) -> tuple[int, float]:
    """The same in a process of its own, arithmetic on one core; the best of some."""
    best = (0, float("inf"))
    for _ in range(ROUNDS):
        done = subprocess.run(
            [sys.executable, __file__, model],
            check=True, capture_output=True, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        points, seconds = done.stdout.split()
        best = min(best, (int(points), float(seconds)), key=lambda pair: pair[1])
    return best


def main() -> int:
    """Print seconds and points a second by model."""
    if len(sys.argv) > 1:
        points, seconds = once(sys.argv[1])
        print(points, seconds)
        return 0
    for model in MODELS:
        points, seconds = fresh(model)
        print(
            f"{seconds:.2f} s: front of {model} over all accelerators "
            f"({points:,} points, {points / seconds:,.0f} points/s)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
