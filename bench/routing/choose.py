"""What one choice costs, in microseconds of one core: python bench/routing/choose.py.

The owner's calls around a choice (`enter`, `answered`, `leave`) are timed apart. `now_s` rises by
50 us a choice, so everything is looked at anew every two thousandth time, as at 20,000 a second.
"""

from __future__ import annotations

import sys
import timeit

from neocloud.routing import (
    Choice,
    Group,
    ReplicaState,
    RouteRequest,
    Shares,
    choose,
    explain,
    prefix_hashes,
)

REPLICAS = 20
NUMBER, ROUNDS = 20_000, 7
RTTS = {f"site-{site}": 0.01 + 0.02 * site for site in range(5)}
PROMPT = bytes(range(256)) * 4096
PREFIX = prefix_hashes(PROMPT, b"salt")


def group(pools: int) -> Group:
    """Twenty replicas in this many pools, each somewhat loaded, at prices that differ."""
    return Group(
        "llama",
        [
            ReplicaState(
                replica=f"site-{i % pools}/h100/llama/{i}",
                site=f"site-{i % pools}",
                pool="h100",
                model="llama",
                in_flight=i * 7 % 20,
                cost=1.0 + 0.001 * (i % pools),
            )
            for i in range(REPLICAS)
        ],
    )


def micros(run: object) -> float:
    return min(timeit.repeat(run, number=NUMBER, repeat=ROUNDS)) / NUMBER * 1e6  # type: ignore[call-overload]


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
    cost = micros(
        lambda: RouteRequest(
            rtt_s_by_site=RTTS, allowed_sites=None, ttft_budget_s=1.0, prefix=PREFIX, plan=shares
        )
    )
    print(f"making the RouteRequest         {cost:6.2f}")


if __name__ == "__main__":
    main()
