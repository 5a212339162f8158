"""How fast the performance model answers, on one core: make bench.

A point is one configuration at one number of requests in flight, closed loop solved. The numbers of
every configuration are derived in the time measured, as a search over configurations would; numpy's
arithmetic on arrays uses one core.
Start-up is the time of a whole process.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

import numpy as np

from neocloud.catalog import Accelerator, Architecture, load_catalog
from neocloud.perf import Configuration, ConfigurationError, stack, step_numbers
from neocloud.perf.closed_loop import aggregated

MODELS = (
    "meta-llama/Meta-Llama-3.1-8B",
    "meta-llama/Meta-Llama-3.1-70B",
    "Qwen/Qwen3-32B-FP8",
    "Qwen/Qwen3-235B-A22B-FP8",
    "openai/gpt-oss-120b",
    "deepseek-ai/DeepSeek-R1",
)
ACCELERATORS = ("h100-sxm", "h200-sxm", "b200-sxm", "b300-sxm", "mi300x", "mi355x")
CONCURRENCIES = np.geomspace(1.0, 1024.0, 180)
INPUTS, OUTPUTS, ROOM, BATCH_TOKENS = 1024.0, 1024.0, 512.0, 8192.0
BLOCK = 32
"""Configurations solved at once: their arrays fit a core's cache."""
ROUNDS = 5
VERBS = (
    ("--help",),
    ("predict", "--model", MODELS[0], "--accelerator", "h100-sxm"),
)

Asked = tuple[Architecture, Accelerator, Configuration]


def configurations() -> list[Asked]:
    """Parallelism, precision and batch limits of six models on six accelerators."""
    catalog = load_catalog()
    asked = []
    for model, key in itertools.product(MODELS, ACCELERATORS):
        architecture, accelerator = catalog.architecture(model), catalog.accelerator(key)
        for tp, dp, kv, batch in itertools.product(
            (1, 2, 4, 8), (1, 2, 4, 8), ("bf16", "fp8"), (64, 256)
        ):
            configuration = Configuration(
                accelerator=key,
                tp=tp,
                attention_dp=dp,
                ep=tp * dp,
                precision=architecture.published_precision,
                kv_precision=kv,
                max_batch=batch,
            )
            asked.append((architecture, accelerator, configuration))
    return asked


def solve(asked: list[Asked]) -> int:
    """Derive the numbers of all configurations and solve their loops; points solved."""
    numbers = []
    for architecture, accelerator, configuration in asked:
        try:
            numbers.append(step_numbers(architecture, accelerator, configuration))
        except ConfigurationError:
            continue
    points = 0
    for first in range(0, len(numbers), BLOCK):
        loop = aggregated(
            stack(numbers[first : first + BLOCK]),
            inputs=INPUTS,
            outputs=OUTPUTS,
            concurrency=CONCURRENCIES[None, :],
            room=ROOM,
            batch_tokens=BATCH_TOKENS,
        )
        points += int(np.size(loop.tpot_s))
    return points


def points_per_second(asked: list[Asked]) -> float:
    """The best of some rounds: what the machine does when nothing else runs."""
    solve(asked[:8])
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        points = solve(asked)
        best = max(best, points / (time.perf_counter() - start))
    return best


def seconds_to_run(arguments: tuple[str, ...]) -> float:
    """Wall time of a whole `neocloud` process, the best of some."""
    program = "import sys; from neocloud.cli.main import main; sys.exit(main())"
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", program, *arguments], check=True, stdout=subprocess.DEVNULL
        )
        best = min(best, time.perf_counter() - start)
    return best


def main() -> int:
    """Print points a second and seconds to start."""
    asked = configurations()
    print(f"{points_per_second(asked):,.0f} points/s ({len(asked):,} configurations)")
    for arguments in VERBS:
        print(f"{seconds_to_run(arguments):.2f} s: neocloud {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
