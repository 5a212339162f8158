"""Report 12 (octos 1533, archestra 1833, OpenTelemetry genai 476): retries lose tokens or add them.

Ours: attempts are on record apart from the request. The request is one event, billed once, for the
attempt that answered; a request that no attempt answered costs nothing.
"""

from __future__ import annotations

import time

import pytest
from tests.fakes.behaviour import behaviour_of
from tests.fakes.upstream import refused_address, running
from tests.gateway.world import run, until

from neocloud.gateway import TenantRule
from neocloud.ledger import Status
from neocloud.quotas import TenantLimit

from .stage import PATHS, PRICE, STREAMING, Stage, body_of, rules_of, stage

BUDGET = 10**12
FAULTS = {
    "draining": "status_500", "full": "status_503", "STATUS=502": "status_502",
    "STATUS=429": "status_429", "hang-up": "lost", "error-200": "no_answer",
    "not-json": "no_answer", "bad-json": "no_answer",
}  # fmt: skip
"""What the first replica does, and the word under which its attempt is on record."""
RULES = rules_of({"acme": TenantRule(limit=TenantLimit(budget=BUDGET))})


def spent(up: Stage) -> int:
    return BUDGET - (up.gateway.quotas.remaining("acme", time.monotonic()).budget or 0)


@pytest.mark.parametrize("fault", FAULTS)
def test_report_12_attempts_are_apart_and_billed_once(tmp_path, fault):
    # Fails if the first attempt's tokens are added: the fake tells 1,000 for it where it tells any.
    async def test() -> None:
        async with running() as bad, running() as good, stage(
            tmp_path, bad, good, rules=RULES, kind="remote"
        ) as up:  # fmt: skip
            word = fault if "=" in fault else f"FAULT={fault}"
            bad.behaviour = behaviour_of(f"{word} PROMPT=1000")
            good.behaviour = behaviour_of("PROMPT=100 TOKENS=9")
            first, second = up.fleet.states
            second.in_flight = 1  # so that the first is chosen
            answers = []
            for api in PATHS:
                first.full_until_s = 0.0
                first.breaker.failures = 0
                up.fleet.changed()
                answers.append(await up.post(api, body_of(api)))
            second.in_flight = 0
            assert [answer.status for answer in answers] == [200] * len(PATHS)
            events = await up.settled(len(PATHS))
            assert {event.status for event in events} == {Status.COMPLETED}
            assert [event.attempts for event in events] == [2] * len(PATHS)
            assert {event.replica for event in events} == {second.replica}
            assert {event.input_tokens for event in events} == {100}
            await until(lambda: len(up.attempts()) == len(PATHS))
            attempts = up.attempts()
            assert {each.request_id for each in attempts} == {e.request_id for e in events}
            assert {(a.number, a.replica, a.fault) for a in attempts} == {
                (1, first.replica, FAULTS[fault])
            }
            assert all(a.started_ns <= a.ended_ns for a in attempts)
            assert spent(up) == sum(map(PRICE.of, events))

    run(test)


@pytest.mark.parametrize("stream", [False, True])
def test_report_12_what_no_attempt_answered_costs_nothing(tmp_path, stream):
    async def test() -> None:
        host, port = refused_address()
        async with running("FAULT=draining") as one, running("FAULT=hang-up") as two, stage(
            tmp_path, one, two, f"http://{host}:{port}", rules=RULES
        ) as up:  # fmt: skip
            for api in STREAMING:
                up.fleet.changed()
                answer = await up.post(api, body_of(api, stream=stream))
                assert answer.status >= 500
            events = await up.settled(len(STREAMING))
            assert {event.status for event in events} == {Status.FAILED}
            assert {event.input_tokens + event.output_tokens for event in events} == {0}
            tries = sum(event.attempts for event in events)
            await until(lambda: len(up.attempts()) == tries)
            numbers = [(each.request_id, each.number) for each in up.attempts()]
            assert len(set(numbers)) == tries
            assert max(number for _, number in numbers) == 3
            assert spent(up) == 0

    run(test)


def test_report_12_nothing_is_tried_again_after_the_first_byte(tmp_path):
    # Else tokens that the client has seen would be generated, and counted, twice. Seen to fail with
    # a flight that tries again whatever was sent.
    async def test() -> None:
        async with running("FAULT=truncate AFTER=2 CHUNKS=9") as one, running() as two, stage(
            tmp_path, one, two
        ) as up:  # fmt: skip
            first, second = up.fleet.states
            for api in STREAMING:
                second.in_flight = 1
                taker = await up.taken(api, body_of(api, stream=True))
                second.in_flight = 0
                assert taker.status == 200
                assert not taker.whole
            events = await up.settled(len(STREAMING))
            assert {(event.replica, event.attempts) for event in events} == {(first.replica, 1)}
            assert {event.status for event in events} == {Status.FAILED}
            assert two.count.totals.requests == 0

    run(test)
