"""The page of metrics, read as Prometheus reads it, of a gateway that really serves."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.gateway.observing.exposed import read, summed, value
from tests.gateway.scripted import answers, says, waits
from tests.gateway.world import KEY, Taker, ask, before, rules_with, run, until

from neocloud.gateway import TenantRule, joined
from neocloud.gateway.observability.exposition import Exposition, shown
from neocloud.gateway.observability.metrics import Process
from neocloud.gateway.tenants.rules import Rules
from neocloud.ledger import ShippingReport
from neocloud.quotas import TenantLimit

HISTOGRAMS = {
    "gen_ai_server_request_duration_seconds", "gen_ai_server_time_to_first_token_seconds",
    "gen_ai_server_time_per_output_token_seconds", "gen_ai_client_token_usage",
    "neocloud_request_queue_time_seconds",
}  # fmt: skip


def test_what_a_gateway_tells(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers(4)) as world:
            world.gateway.process = Process(worker=3, connections=lambda: 7)
            await world.post(ask("a secret of mine"))
            await world.taken(ask("another", stream=True))
            await world.post(ask(model="gone"))
            await world.post(ask(), ())
            world.ledger.note_shipping(
                ShippingReport(shipped=5, backlog_bytes=9, lag_s=0.5, failure=None)
            )
            answer = await world.get("/metrics", None)
            ids = [event.request_id for event in world.usage()]
        assert answer.headers[b"content-type"].startswith(b"text/plain; version=0.0.4")
        assert KEY.encode() not in answer.body
        assert b"secret" not in answer.body
        assert not any(each.encode() in answer.body for each in ids)
        page = read(answer.body)
        assert {n for n, family in page.items() if family.kind == "histogram"} == HISTOGRAMS
        served = {
            "gen_ai_operation_name": "chat", "gen_ai_provider_name": "neocloud",
            "gen_ai_request_model": "m", "site": "near", "emulated": "false",
        }  # fmt: skip
        duration = "gen_ai_server_request_duration_seconds"
        assert value(page, duration, "_count", **served) == 2
        assert value(page, duration, "_sum", **served) > 0
        assert value(page, "gen_ai_server_time_to_first_token_seconds", "_count", **served) == 1
        assert value(page, "gen_ai_server_time_per_output_token_seconds", "_count", **served) == 1
        usage = "gen_ai_client_token_usage"
        assert value(page, usage, "_sum", gen_ai_token_type="output", **served) == 8
        assert value(page, usage, "_bucket", gen_ai_token_type="output", le="4", **served) == 2
        assert value(page, usage, "_bucket", gen_ai_token_type="output", le="1", **served) == 0
        tenant = {"model": "m", "tenant": "acme"}
        assert value(page, "neocloud_requests_total", status="completed", **tenant) == 2
        assert value(page, "neocloud_tokens_total", kind="input", **tenant) == 14
        assert value(page, "neocloud_tokens_total", kind="cached_input", **tenant) == 4
        assert value(page, "neocloud_refused_total", status="404", reason="model_not_found") == 1
        assert value(page, "neocloud_refused_total", status="401", reason="invalid_api_key") == 1
        assert value(page, "neocloud_replica_healthy", replica="near/pool/m/0") == 1
        assert value(page, "neocloud_replica_breaker_state", replica="near/pool/m/0") == 0
        assert value(page, "neocloud_ledger_records_total") >= 4
        assert value(page, "neocloud_ledger_backlog_bytes") == 9
        assert value(page, "neocloud_ledger_lag_seconds") == 0.5
        assert value(page, "neocloud_connections") == 7
        assert value(page, "neocloud_worker") == 3
        assert value(page, "process_resident_memory_bytes") > 2**20

    run(test)


def test_attempts_that_fail(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, says(500, "broken"), answers()) as world:
            for _ in range(6):
                assert (await world.post(ask())).status == 200
            page = read((await world.get("/metrics", None)).body)
            failed = value(
                page, "neocloud_failed_attempts_total", replica="near/pool/m/0", fault="status_500"
            )
            assert failed == 5  # then it is let alone
            assert value(page, "neocloud_attempts_total", model="m") == 6 + failed
            assert value(page, "neocloud_retries_total", model="m") == failed
            assert value(page, "neocloud_failovers_total", model="m") == failed
            assert summed(page, "neocloud_requests_total", model="m") == 6
            assert value(page, "neocloud_replica_breaker_state", replica="near/pool/m/0") == 2

    run(test)


def test_those_who_wait_and_those_who_leave(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, waits) as world:
            state = world.fleet.states[0]
            state.target_concurrency = state.max_occupancy = 1.0
            world.fleet.changed()
            first, second, third = Taker(), Taker(), Taker()
            world.send(ask("first"), first)
            await until(lambda: state.in_flight == 1)
            world.send(ask("second"), second)
            leaver = world.send(ask("third"), third)
            await until(lambda: len(world.gateway.waiting) == 2)
            page = read((await world.get("/metrics", None)).body)
            assert value(page, "neocloud_num_requests_waiting") == 2
            assert value(page, "neocloud_num_requests_running") == 1
            leaver.abort()
            await until(lambda: len(world.gateway.waiting) == 1)
            world.mocks[0].script = answers()
            answers()(world.mocks[0], world.mocks[0].open[0], {})
            await second.ended.wait()
            page = read((await world.get("/metrics", None)).body)
            assert value(page, "neocloud_request_queue_time_seconds", "_count", model="m") == 2
            assert value(page, "neocloud_refused_total", status="499", reason="client_gone") == 1

    run(test)


def test_limits_that_are_met(tmp_path: Path) -> None:
    rules = rules_with()
    limited = TenantRule(limit=TenantLimit(requests_per_minute=1))
    rules = Rules(
        models=rules.models, tenants={"acme": limited}, round_trips=rules.round_trips,
        default_metro=rules.default_metro,
    )  # fmt: skip

    async def test() -> None:
        async with before(tmp_path, answers(), rules=rules) as world:
            statuses = [(await world.post(ask())).status for _ in range(3)]
            page = read((await world.get("/metrics", None)).body)
            refused = statuses.count(429)
            assert refused
            assert value(page, "neocloud_limited_total", tenant="acme", limit="requests") == refused

    run(test)


def test_a_client_cannot_make_the_page_grow(tmp_path: Path) -> None:
    """Whatever names of models, keys and metros come: the page has the lines that it had."""

    async def test() -> None:
        async with before(tmp_path, answers()) as world:

            async def some(number: int) -> int:
                await world.post(ask(model=f"model-{number}"))
                await world.post(ask(), ((b"authorization", b"Bearer k%d" % number),))
                await world.get(f"/path-{number}")
                return len((await world.get("/metrics", None)).body.splitlines())

            first = await some(0)
            assert [await some(number) for number in range(1, 20)] == [first] * 19

    run(test)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1234567.0, "1234567"),
        (0.1, "0.1"),
        (float(2**60), "1.152921504606847e+18"),
        (1e-7, "1e-07"),
    ],
)
def test_numbers_keep_their_digits(number: float, text: str) -> None:
    assert shown(number) == text


def test_labels_are_escaped() -> None:
    page = Exposition()
    page.gauge("odd", "Of a name.", [((("name", 'a"b\\c\nd'),), 1)])
    ((_, labels),) = read(page.text())["odd"].samples
    assert dict(labels) == {"name": r"a\"b\\c\nd"}


def test_pages_of_workers_are_joined(tmp_path: Path) -> None:
    async def test() -> None:
        async with before(tmp_path, answers()) as world:
            one = (await world.get("/metrics", None)).body
            await world.post(ask())
            two = (await world.get("/metrics", None)).body
        page = read(joined({"0": one, "1": two}))
        assert value(page, "neocloud_num_requests_running", worker="1") == 0
        assert summed(page, "neocloud_requests_total", worker="0") == 0
        assert summed(page, "neocloud_requests_total", worker="1") == 1
        assert set(page) == set(read(two))
        for family in page.values():
            assert all("worker" in dict(labels) for _, labels in family.samples)

    run(test)
