"""How fast placement is and what it proves, beside plain HiGHS in the same time: make bench.

Made-up clouds of 6 and of 60 pools, 10 models, 10 user metros, 24 hours. Each is placed within its
time by `place`, and then the whole program by HiGHS alone, one thread each. Gaps are proven: cost
less bound, over cost. Seconds are of the processor.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from made import made

from neocloud.planner.placing import place
from neocloud.planner.placing.known import Known
from neocloud.planner.placing.layout import lay_out
from neocloud.planner.placing.program import Watch, solve
from neocloud.planner.placing.relaxation import whole_program
from neocloud.planner.setting import Setting

ROUNDS = ((6, 10.0, 0.005), (60, 30.0, 0.02))
"""Pools, seconds, gap to reach."""
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Result:
    """Seconds and the proven gap; none where nothing was found."""

    seconds: float
    gap: float | None

    def text(self) -> str:
        gap = "nothing found" if self.gap is None else f"{self.gap:.2%}"
        return f"{self.seconds:5.1f} s  {gap:>13}"


def ours(setting: Setting, seconds: float, gap: float) -> Result:
    """Placed by `place`."""
    start = time.process_time()
    placed = place(setting, target_gap=gap, seconds=seconds, clock=time.process_time)
    return Result(time.process_time() - start, None if placed is None else placed.gap)


def plain(setting: Setting, seconds: float, gap: float) -> Result:
    """The whole program by HiGHS as it comes."""
    start = time.process_time()
    program, _ = whole_program(lay_out(setting), Known())
    whole = solve(program.program, Watch(seconds, time.process_time), relative_gap=gap)
    spent = time.process_time() - start
    if whole is None or whole.values is None:
        return Result(spent, None)
    return Result(spent, (whole.objective - whole.bound) / whole.objective)


def main() -> int:
    """Print seconds and gaps of both, by size."""
    few = "--few" in sys.argv
    print("Placement: processor seconds and proven gap, and plain HiGHS beside it")
    for pools, seconds, gap in ROUNDS[: 1 if few else None]:
        for hourly in (False, True):
            for seed in SEEDS[: 1 if few else None]:
                setting = made(pools=pools, seed=seed, hourly=hourly)
                kind = "hourly" if hourly else "fixed"
                one, other = (f(setting, seconds, gap) for f in (ours, plain))
                print(
                    f"{pools:3} pools, {len(setting.options):5} options, {kind:6}, cloud {seed}:  "
                    f"{one.text()}   HiGHS alone {other.text()}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
