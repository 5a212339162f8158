"""What one choice costs, in microseconds of one core: python bench/routing/choose.py.

The owner's calls around a choice (`enter`, `answered`, `leave`) are timed apart. `now_s` rises by
50 us a choice, so everything is looked at anew every two thousandth time, as at 20,000 a second.
"""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable

from neocloud.routing import (
    Choice,
    FairQueue,
    Group,
    Priority,
    ReplicaState,
    RouteRequest,
    Shares,
    choose,
    explain,
    prefix_hashes,
)

REPLICAS = 20
NUMBER, ROUNDS = 2_000, 60
RTTS = {f"site-{site}": 0.01 + 0.02 * site for site in range(5)}
PROMPT = bytes(range(256)) * 4096
PREFIX = prefix_hashes(PROMPT, b"salt")


def group(pools: int, inside: int = 0) -> Group:
    """Twenty replicas in this many pools, loaded, at one price: no pool can be skipped unseen."""
    return Group(
        "llama",
        [
            ReplicaState(
                replica=f"site-{i % pools}/h100/llama/{i}",
                site=f"site-{i % pools}",
                pool="h100",
                model="llama",
                in_flight=inside + i * 7 % 20,
                cost=1.0,
            )
            for i in range(REPLICAS)
        ],
    )


def micros(run: Callable[[], object]) -> float:
    """Processor time of one call, the best of many rounds: others use this machine too."""
    rounds = timeit.repeat(run, timer=time.process_time, number=NUMBER, repeat=ROUNDS)
    return min(rounds) / NUMBER * 1e6


def of_choice(replicas: Group, request: RouteRequest) -> float:
    now_s = 0.0

    def run() -> None:
        nonlocal now_s
        now_s += 50e-6
        choose(replicas, request, now_s)

    assert isinstance(choose(replicas, request, 0.0), Choice)
    return micros(run)


def main() -> None:
    shares = Shares.of({f"site-{site}/h100": 1.0 for site in range(5)})
    plain = RouteRequest(rtt_s_by_site=RTTS, ttft_budget_s=1.0)
    prefixed = RouteRequest(rtt_s_by_site=RTTS, ttft_budget_s=1.0, prefix=PREFIX)
    planned = RouteRequest(rtt_s_by_site=RTTS, ttft_budget_s=1.0, prefix=PREFIX, plan=shares)
    limited = RouteRequest(rtt_s_by_site=RTTS, allowed_sites=frozenset(RTTS), prefix=PREFIX)
    print(sys.version.split()[0], "microseconds")
    for pools in (1, 5):
        for name, request in (
            ("no prefix", plain),
            ("prefix", prefixed),
            ("prefix, plan", planned),
            ("prefix, allowed sites", limited),
        ):
            print(f"{REPLICAS} in {pools}, {name:22}     {of_choice(group(pools), request):6.2f}")
        for name, inside, request in (
            ("no prefix, half full", 24, plain),
            ("prefix, half full", 24, prefixed),
            ("prefix, overloaded", 70, prefixed),
        ):
            cost = of_choice(group(pools, inside), request)
            print(f"{REPLICAS} in {pools}, {name:22}     {cost:6.2f}")
    one = group(1)
    state = one.states[0]

    def around() -> None:
        one.enter(state, 1.0)
        one.answered(state, 1.0, 1.0)
        one.leave(state, 1.0)

    print(f"enter, answered, leave          {micros(around):6.2f}")
    print(f"refresh                         {micros(lambda: one.refresh(1.0)):6.2f}")
    print(f"explain                         {micros(lambda: explain(one, prefixed, 1.0)):6.2f}")
    for size in (1024, 4096, 1_000_000):
        prompt = PROMPT[:size]
        cost = micros(lambda prompt=prompt: prefix_hashes(prompt, b"salt"))
        print(f"prefix of {size:9} bytes       {cost:6.2f}")
    waiting: FairQueue[int] = FairQueue(10_000, 10_000)
    for item in range(1000):
        waiting.push(item, f"tenant-{item % 50}", Priority.NORMAL, 500.0, 9e9)
    item = 1000

    def turn() -> None:
        nonlocal item
        item += 1
        waiting.push(item, f"tenant-{item % 50}", Priority.NORMAL, 500.0, 9e9)
        waiting.pop(1.0)

    print(f"push and pop, 1,000 of 50 wait  {micros(turn):6.2f}")
    cost = micros(
        lambda: RouteRequest(
            rtt_s_by_site=RTTS, allowed_sites=None, ttft_budget_s=1.0, prefix=PREFIX, plan=shares
        )
    )
    print(f"making the RouteRequest         {cost:6.2f}")


if __name__ == "__main__":
    main()
