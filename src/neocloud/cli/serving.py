"""What `neocloud up` serves, from a cloud file and its plan, or from servers that run already."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from neocloud.books.prices import price_list
from neocloud.cli.cloud_file import open_cloud, open_plan, plan_beside
from neocloud.cli.failure import Failure
from neocloud.engines import (
    Endpoint,
    EngineAnswerError,
    MetricsReader,
    endpoint_of_url,
    list_models,
)
from neocloud.gateway import (
    DEFAULT_TENANT,
    Emulation,
    Settings,
    cache_secret,
    rules_of_cloud,
    rules_without_file,
)
from neocloud.ledger import LedgerPlace, given_key, keys_of, ledger_place
from neocloud.planner import Plan
from neocloud.wire import Client, UpstreamError

KEY = "NEOCLOUD_KEY"
UPSTREAM_KEY = "NEOCLOUD_UPSTREAM_KEY"
LISTEN_WITHOUT_FILE = "127.0.0.1:9400"
LEDGER_WITHOUT_FILE = "sqlite:///usage.db"
_BODY_WITHOUT_FILE = 4 * 2**20
_FAMILIES = {"vllm:": "vllm", "sglang:": "sglang", "llamacpp:": "llamacpp"}
"""Kinds of engines by the family of their metrics."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says. None, and an empty tuple, where it is silent."""

    cloud_file: Path | None
    plan_path: Path | None
    upstreams: tuple[str, ...]
    listen: str | None
    ledger: str | None
    grace_s: float


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Settings, and what must be told once.

    Attributes:
        settings: of the gateway.
        first_key: a key that was made for the first tenant; empty if there was one.
        unserved: replicas of the plan that nothing stands for.
    """

    settings: Settings
    first_key: str = ""
    unserved: tuple[str, ...] = ()


def served(asked: Asked) -> Served:
    """Read the file, or ask the servers.

    Raises:
        Failure: something is wrong with what was asked.
        LedgerError: the ledger cannot be used.
    """
    return _without_file(asked) if asked.cloud_file is None else _with_file(asked, asked.cloud_file)


def address(text: str) -> tuple[str, int]:
    """Host and port of `--listen`."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise Failure(f"--listen {text!r}: write an address as {LISTEN_WITHOUT_FILE}")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def _with_file(asked: Asked, cloud_file: Path) -> Served:
    cloud, catalog = open_cloud(cloud_file)
    path = plan_beside(cloud_file, asked.plan_path)
    plan = open_plan(path, cloud)
    endpoints = _named(asked.upstreams, plan)
    named = {endpoint.replica for endpoint in endpoints}
    emulated = [p for p in plan.placements if p.engine.kind == "emulated"]
    real = tuple(
        replica
        for p in plan.placements
        if p.engine.kind != "emulated"
        for replica in p.replica_ids()
        if replica not in named
    )
    if not emulated and not endpoints:
        raise Failure(
            f"{cloud.file}: all engines of the plan are real and none is named. Start them with "
            f"the plan's flags, then name each: --upstream {real[0]}=http://HOST:PORT"
        )
    host, port = address(asked.listen or cloud.gateway.listen)
    key = os.environ.get(KEY)
    if key and len(cloud.tenants) > 1:
        raise Failure(f"{KEY} is for a single tenant; make keys with `neocloud key create`")
    folder = cloud_file.parent
    segments = folder / cloud.gateway.segments if cloud.gateway.segments else None
    place = (
        ledger_place(asked.ledger, Path(), segments)
        if asked.ledger
        else ledger_place(cloud.gateway.ledger, folder, segments)
    )
    settings = Settings(
        rules=rules_of_cloud(
            cloud,
            catalog,
            price_list(cloud).version,
            plan.rented,
            cache_secret(place, os.environ),
        ),
        plan=plan,
        emulation=Emulation(cloud_path=cloud_file, plan_path=path) if emulated else None,
        endpoints=endpoints,
        ledger=place,
        given_keys=(given_key(key, next(iter(cloud.tenants))),) if key else (),
        host=host,
        port=port,
        max_body_bytes=cloud.gateway.max_body_bytes,
        grace_s=asked.grace_s,
    )
    return Served(settings=settings, unserved=real)


def _named(upstreams: Sequence[str], plan: Plan) -> tuple[Endpoint, ...]:
    known = {replica: p for p in plan.placements for replica in p.replica_ids()}
    endpoints = []
    for text in upstreams:
        replica, found, url = text.partition("=")
        if not found or replica not in known:
            raise Failure(
                f"--upstream {text}: with a file, write REPLICA=URL with a replica of the plan, "
                f"such as {next(iter(known))}"
            )
        placement = known[replica]
        kind = placement.engine.kind
        endpoints.append(
            _endpoint(url, replica, placement.model, "remote" if kind == "emulated" else kind)
        )
    return tuple(endpoints)


def _without_file(asked: Asked) -> Served:
    if not asked.upstreams:
        raise Failure(
            "name a cloud file, a model file, or a server: neocloud up --upstream http://HOST:PORT"
        )
    host, port = address(asked.listen or LISTEN_WITHOUT_FILE)
    endpoints = asyncio.run(_ask(asked.upstreams))
    place = ledger_place(asked.ledger or LEDGER_WITHOUT_FILE, Path())
    key = os.environ.get(KEY)
    first = "" if key else _first_key(place)
    models = dict.fromkeys(e.model for e in endpoints)
    settings = Settings(
        rules=rules_without_file(models, cache_secret(place, os.environ)),
        plan=None,
        emulation=None,
        endpoints=endpoints,
        ledger=place,
        given_keys=(given_key(key, DEFAULT_TENANT),) if key else (),
        host=host,
        port=port,
        max_body_bytes=_BODY_WITHOUT_FILE,
        grace_s=asked.grace_s,
    )
    return Served(settings=settings, first_key=first)


def _first_key(place: LedgerPlace) -> str:
    """Make a key for the first tenant, unless it has one."""
    keys = keys_of(place)
    now_ns = time.time_ns()
    kept = keys.keys()
    if any(key.tenant == DEFAULT_TENANT and key.in_force(now_ns) for key in kept):
        return ""
    text, _ = keys.create(DEFAULT_TENANT, "first", now_ns)
    return text


def _endpoint(url: str, replica: str, model: str, kind: str) -> Endpoint:
    try:
        return endpoint_of_url(
            url, replica=replica, model=model, kind=kind, key=os.environ.get(UPSTREAM_KEY, "")
        )
    except ValueError as error:
        raise Failure(f"--upstream: {error}") from None


async def _ask(upstreams: Sequence[str]) -> tuple[Endpoint, ...]:
    """Ask each server for its models; one replica for each of them."""
    client = Client()
    endpoints: list[Endpoint] = []
    try:
        for number, url in enumerate(upstreams):
            probe = _endpoint(url, f"local/upstream/-/{number}", "-", "remote")
            pool = client.pool(probe.address)
            try:
                models = await list_models(pool, probe)
            except (UpstreamError, EngineAnswerError) as error:
                raise Failure(f"--upstream {url}: {error}") from None
            if not models:
                raise Failure(f"--upstream {url}: it serves no model")
            reader = MetricsReader(probe)
            await reader.read(pool, timeout_s=2.0)
            kind = _FAMILIES.get(reader.family, "remote")
            endpoints += [
                _endpoint(url, f"local/upstream/{model}/{number}", model, kind) for model in models
            ]
    finally:
        await client.close()
    return tuple(endpoints)
