"""Service tiers: passed on as they are, on record where a price names them, told by the engine."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest

from neocloud.books.prices import PriceBook, price_version
from neocloud.books.rating import rate, total_pico
from neocloud.catalog import load_catalog
from neocloud.gateway.apis.api import MOST_TIER, Wanted, tier_of
from neocloud.gateway.apis.messages import Messages
from neocloud.gateway.apis.openai import Chat
from neocloud.gateway.apis.refusals import ApiError
from neocloud.gateway.tenants.rules import rules_of_cloud
from neocloud.ledger.recovery import interrupted
from neocloud.wire import Address, fetch

from ..books.invoices.shop import cloud, usage  # noqa: TID252
from ..fakes.upstream import running  # noqa: TID252
from ..ledger.events import admission  # noqa: TID252
from .world import authorization, before, rules_with, run

HI = [{"role": "user", "content": "hi"}]
BODIES = {
    "/v1/chat/completions": {"messages": HI},
    "/v1/completions": {"prompt": "hi"},
    "/v1/responses": {"input": "hi"},
    "/v1/messages": {"messages": HI, "max_tokens": 5},
}
RULES = msgspec.structs.replace(rules_with(), service_tiers=frozenset({"flex", "priority"}))
PRICED = (
    "pricing:\n  adjustments: [{name: may-wait, change: -0.5, service_tiers: flex}, "
    "{name: urgent, change: 0.75, service_tiers: [priority]}]\n"
)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
def test_a_tier_reaches_the_engine_as_it_is_and_the_ledger_if_a_price_names_it(
    tmp_path, path, stream
):
    asked = ("flex", "priority", "unknown", "x" * 10_000, None)

    async def test() -> None:
        async with running("CHUNKS=2") as upstream:
            host, _, port = upstream.url.removeprefix("http://").partition(":")
            async with before(tmp_path, Address(host, int(port)), rules=RULES) as world:
                sent = []
                for tier in (*asked, ""):
                    fields = {"model": "m", "stream": stream, **BODIES[path]}
                    fields |= {} if tier == "" else {"service_tier": tier}
                    answer = await fetch(
                        world.pool, b"POST", path.encode(), authorization(),
                        json.dumps(fields).encode(), timeout_s=20,
                    )  # fmt: skip
                    assert answer.status == 200
                    assert b"service_tier" not in answer.body, "the engine says nothing of it"
                    sent.append(upstream.heard[-1].json().get("service_tier"))
            assert sent == [*asked, None]
            found = [event.service_tier for event in world.usage()]
            assert found == ["flex", "priority", "default", "default", "default", "default"]

    run(test)


def test_what_the_engine_says_of_the_tier_is_told(tmp_path):
    def script(mock, exchange, request):
        del mock
        told = {
            "object": "chat.completion", "service_tier": "default", "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "x"},
                 "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }  # fmt: skip
        assert request["service_tier"] == "flex"
        exchange.respond(200, ((b"content-type", b"application/json"),), json.dumps(told).encode())

    async def test() -> None:
        async with before(tmp_path, script, rules=RULES) as world:
            answer = await world.post({"model": "m", "messages": HI, "service_tier": "flex"})
            assert json.loads(answer.body)["service_tier"] == "default"
            assert (await world.event()).service_tier == "flex", "what was asked for is charged"

    run(test)


def test_a_tier_that_is_no_text_is_refused_and_a_long_one_is_none():
    body = {"model": "m", "messages": HI, "service_tier": 5}
    with pytest.raises(ApiError, match="service_tier"):
        Chat().read(json.dumps(body).encode())
    assert [tier_of(said) for said in (None, "", "flex", "x" * MOST_TIER, "x" * 33)] == [
        "", "", "flex", "x" * MOST_TIER, "",
    ]  # fmt: skip


@pytest.mark.parametrize("tier", ["auto", "standard_only", None])
def test_anthropics_own_tiers_do_not_reach_engines_of_chat(tier):
    body = json.dumps({"model": "m", "service_tier": tier, **BODIES["/v1/messages"]}).encode()
    dialect = Messages().toward(frozenset({"chat"}))
    assert dialect is not None
    asked = Messages().read(body)
    assert asked.service_tier == (tier or "")
    assert "service_tier" not in json.loads(dialect.request(body, asked, Wanted(model="m")))


def test_a_request_whose_gateway_died_keeps_its_tier():
    event = interrupted(admission(1, service_tier="flex"), None, admission(1).admitted_ns)
    assert event.service_tier == "flex"


def test_from_the_file_to_the_price():
    made = cloud(**{"pricing:\n": PRICED})
    rules = rules_of_cloud(made, load_catalog(), "p1")
    book = PriceBook(current=price_version(made))
    costs = {}
    for tier in ("", "flex", "priority", "unknown", "Flex"):
        event = usage("2026-10-05", service_tier=rules.recorded_tier(tier))
        rated = rate(book, [event])
        costs[tier] = Decimal(total_pico(rated.lines)["USD"]) / 10**12
        assert [line.adjustments for line in rated.lines] == [
            {"flex": ("may-wait",), "priority": ("urgent",)}.get(tier, ())
        ]
    assert list(costs.values()) == list(map(Decimal, ("0.26", "0.13", "0.455", "0.26", "0.26")))
