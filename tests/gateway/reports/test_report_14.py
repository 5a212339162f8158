"""Report 14 (bifrost 5673, 2873): a budget that is stored and not enforced; routes that avoid it.

Ours: whatever a client asks for, by any route and method, as many requests reach an engine as there
are usage events.
"""

from __future__ import annotations

import time

import pytest
from tests.fakes.upstream import Upstream
from tests.gateway.world import authorization, fetch

from neocloud.gateway import TenantRule
from neocloud.gateway.apis import APIS
from neocloud.quotas import TenantLimit

from .stage import PATHS, Stage, before, body_of, rules_of

METHODS = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")
ELSEWHERE = (
    "/", "/v1", "/v1/", "/v1/rerank", "/v1/score", "/v1/audio/speech", "/v1/images/generations",
    "/v1/moderations", "/v1/batches", "/v1/files", "/v1/tokenize", "/tokenize", "/generate",
    "/invocations", "/v1/engines/m/completions", "/v1/chat/completions/", "/v1/chat//completions",
    "/V1/CHAT/COMPLETIONS", "/v1/chat/completions/../embeddings", "/v1/chat/completions%2f",
    "//v1/chat/completions", "/v1/messages/count_tokens", "/v1/responses/x", "/v1/models",
    "/v1/models/m", "/count", "/behaviour", "/metrics", "/health", "/healthz", "/readyz", "/admin",
    "/v1/messages/batches", "/v1/complete", "/openai/v1/chat/completions", "/slots", "/props",
)  # fmt: skip
"""Pages of engines and of other gateways, and other ways to write the served ones."""


def table(up: Stage) -> list[str]:
    """Every path that the gateway knows, from its own tables."""
    return [*up.gateway._apis, *up.gateway.pages.paths]


@pytest.mark.parametrize("kind", ["vllm", "remote"])
def test_report_14_every_route_that_reaches_an_engine_is_metered(tmp_path, kind):
    # Fails if a route is added that passes requests on without a flight, as a pass-through would.
    async def test(up: Stage, upstream: Upstream) -> None:
        reached = set()
        known = table(up)
        assert {api.path for api in APIS} <= set(known)
        for path in dict.fromkeys((*known, *ELSEWHERE)):
            for method in METHODS:
                asked, metered = upstream.count.totals.requests, len(up.usage())
                for body in (b"", *map(body_of, PATHS)):
                    await fetch(up.pool, method, path.encode(), authorization(), body)
                await up.settled(0)
                asked = upstream.count.totals.requests - asked
                assert len(up.usage()) - metered == asked, (method, path)
                if asked:
                    reached.add((method, path))
        assert reached == {(b"POST", api.path) for api in APIS}
        assert not [heard for heard in upstream.heard if heard.target not in PATHS.values()]

    before(tmp_path, test, kind=kind)


@pytest.mark.parametrize("limit", [TenantLimit(budget=0), TenantLimit(budget=1)])
def test_report_14_no_route_avoids_a_budget(tmp_path, limit):
    async def test(up: Stage, upstream: Upstream) -> None:
        for path in dict.fromkeys((*table(up), *ELSEWHERE)):
            for body in map(body_of, PATHS):
                answer = await fetch(up.pool, b"POST", path.encode(), authorization(), body)
                assert answer.status in (400, 404, 405, 429)
        assert upstream.count.totals.requests == 0
        assert up.usage() == []
        left = up.gateway.quotas.remaining("acme", time.monotonic()).budget
        assert left == limit.budget

    before(tmp_path, test, rules=rules_of({"acme": TenantRule(limit=limit)}))
