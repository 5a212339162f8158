"""`neocloud up`: run the gateway."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import click

from neocloud.books.prices import price_list
from neocloud.cli.cloud_file import open_cloud, open_plan, plan_beside
from neocloud.cli.failure import Failure
from neocloud.engines import (
    Endpoint,
    EngineAnswerError,
    EngineStartError,
    endpoint_of_url,
    list_models,
)
from neocloud.gateway import (
    DEFAULT_TENANT,
    Emulation,
    Settings,
    Up,
    rules_of_cloud,
    rules_without_file,
    run,
)
from neocloud.ledger import LedgerError, given_key, ledger_path
from neocloud.planner import Plan
from neocloud.wire import Client, UpstreamError

_KEY = "NEOCLOUD_KEY"
_UPSTREAM_KEY = "NEOCLOUD_UPSTREAM_KEY"


@click.command(name="up")
@click.argument("cloud_file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--plan", "plan_path", type=click.Path(path_type=Path, dir_okay=False),
    help="Plan to run; plan.json beside the file unless given.",
)  # fmt: skip
@click.option(
    "--upstream", "upstreams", multiple=True, metavar="URL or REPLICA=URL",
    help="OpenAI-compatible server. Without a file: its URL. With one: the replica of the plan "
    "that it is, as site/pool/model/0=URL. May be given several times.",
)  # fmt: skip
@click.option("--listen", help="Address and port; the file's own, or 127.0.0.1:8080.")
@click.option("--ledger", help="sqlite:///FILE; the file's own, or sqlite:///ledger.db here.")
@click.option("--grace", default=30.0, show_default=True, help="Seconds for answers to end.")
@click.option("--verbose", is_flag=True, help="Log what happens.")
def command(
    cloud_file: Path | None,
    plan_path: Path | None,
    upstreams: tuple[str, ...],
    listen: str | None,
    ledger: str | None,
    grace: float,
    verbose: bool,
) -> None:
    """Run the gateway of CLOUD_FILE's plan, or before any OpenAI-compatible server.

    Emulated pools are started with it; real engines are named by --upstream. Every request leaves
    exactly one record in the ledger before its answer ends. Ends well on SIGTERM or Ctrl-C.
    Tenants' keys: `neocloud key create`. The environment variable NEOCLOUD_KEY holds the one key of
    a gateway without a file, NEOCLOUD_UPSTREAM_KEY the key that the upstreams ask for.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s"
    )
    import uvloop

    try:
        settings = (
            _without_file(upstreams, listen, ledger, grace)
            if cloud_file is None
            else _with_file(cloud_file, plan_path, upstreams, listen, ledger, grace)
        )
    except LedgerError as error:
        raise Failure(str(error)) from None
    try:
        uvloop.run(run(settings, _tell))
    except (LedgerError, EngineStartError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Choose another address with --listen"
        ) from None


def _tell(up: Up) -> None:
    host = f"[{up.host}]" if ":" in up.host else up.host
    click.echo(f"listening on http://{host}:{up.port}")
    emulated = f", {up.emulated} of them EMULATED" if up.emulated else ""
    click.echo(f"{up.replicas} replicas{emulated}; {up.keys} keys", err=True)
    if up.recovered:
        click.echo(
            f"{up.recovered} requests that a crash left open are closed as interrupted", err=True
        )
    sys.stdout.flush()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise Failure(f"--listen {text!r}: write an address as 127.0.0.1:8080")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def _endpoint(url: str, replica: str, model: str) -> Endpoint:
    try:
        return endpoint_of_url(
            url, replica=replica, model=model, key=os.environ.get(_UPSTREAM_KEY, "")
        )
    except ValueError as error:
        raise Failure(f"--upstream: {error}") from None


def _with_file(
    cloud_file: Path,
    plan_path: Path | None,
    upstreams: tuple[str, ...],
    listen: str | None,
    ledger: str | None,
    grace: float,
) -> Settings:
    cloud, catalog = open_cloud(cloud_file)
    path = plan_beside(cloud_file, plan_path)
    plan = open_plan(path, cloud)
    endpoints = _named(upstreams, plan)
    named = {endpoint.replica for endpoint in endpoints}
    emulated = [p for p in plan.placements if p.engine.kind == "emulated"]
    real = [
        replica
        for p in plan.placements
        if p.engine.kind != "emulated"
        for replica in p.replica_ids()
        if replica not in named
    ]
    if not emulated and not endpoints:
        raise Failure(
            f"{cloud.file}: all engines of the plan are real and none is named. Start them with "
            f"the plan's flags, then name each: --upstream {real[0]}=http://HOST:PORT"
        )
    for replica in real:
        click.echo(f"not served: {replica} (no --upstream names it)", err=True)
    host, port = _address(listen or cloud.gateway.listen)
    key = os.environ.get(_KEY)
    if key and len(cloud.tenants) > 1:
        raise Failure(f"{_KEY} is for a single tenant; make keys with `neocloud key create`")
    return Settings(
        rules=rules_of_cloud(cloud, catalog, price_list(cloud).version, plan.rented),
        plan=plan,
        emulation=Emulation(cloud_path=cloud_file, plan_path=path) if emulated else None,
        endpoints=endpoints,
        ledger_path=ledger_path(ledger, Path())
        if ledger
        else ledger_path(cloud.gateway.ledger, cloud_file.parent),
        given_keys=(given_key(key, next(iter(cloud.tenants))),) if key else (),
        host=host,
        port=port,
        max_body_bytes=cloud.gateway.max_body_bytes,
        grace_s=grace,
    )


def _named(upstreams: tuple[str, ...], plan: Plan) -> tuple[Endpoint, ...]:
    known = {replica: p.model for p in plan.placements for replica in p.replica_ids()}
    endpoints = []
    for text in upstreams:
        replica, found, url = text.partition("=")
        if not found or replica not in known:
            raise Failure(
                f"--upstream {text}: with a file, write REPLICA=URL with a replica of the plan, "
                f"such as {next(iter(known))}"
            )
        endpoints.append(_endpoint(url, replica, known[replica]))
    return tuple(endpoints)


def _without_file(
    upstreams: tuple[str, ...], listen: str | None, ledger: str | None, grace: float
) -> Settings:
    if not upstreams:
        raise Failure("name a cloud file, or a server: neocloud up --upstream http://HOST:PORT")
    key = os.environ.get(_KEY)
    if not key:
        raise Failure(f"set {_KEY} to the key that clients shall send")
    endpoints = asyncio.run(_ask(upstreams))
    host, port = _address(listen or "127.0.0.1:8080")
    return Settings(
        rules=rules_without_file(dict.fromkeys(e.model for e in endpoints)),
        plan=None,
        emulation=None,
        endpoints=endpoints,
        ledger_path=ledger_path(ledger or "sqlite:///ledger.db", Path()),
        given_keys=(given_key(key, DEFAULT_TENANT),),
        host=host,
        port=port,
        max_body_bytes=4 * 2**20,
        grace_s=grace,
    )


async def _ask(upstreams: tuple[str, ...]) -> tuple[Endpoint, ...]:
    """Ask each server for its models; one replica for each of them."""
    client = Client()
    endpoints: list[Endpoint] = []
    try:
        for number, url in enumerate(upstreams):
            probe = _endpoint(url, f"local/upstream-{number}/-/0", "-")
            try:
                models = await list_models(client.pool(probe.address), probe)
            except (UpstreamError, EngineAnswerError) as error:
                raise Failure(f"--upstream {url}: {error}") from None
            if not models:
                raise Failure(f"--upstream {url}: it serves no model")
            endpoints += [
                _endpoint(url, f"local/upstream-{number}/{model}/0", model) for model in models
            ]
    finally:
        await client.close()
    return tuple(endpoints)
