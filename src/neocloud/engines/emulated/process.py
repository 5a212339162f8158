"""The process of the emulated engines: what it is told, its life, its end."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from neocloud.catalog import Catalog, load_catalog
from neocloud.engines.emulated.building import build_engines, fingerprint
from neocloud.engines.emulated.service import Service
from neocloud.engines.emulated.wording import refusal
from neocloud.planner import Plan, PlanFileError, read_plan
from neocloud.spec import Cloud, SpecError, load_cloud
from neocloud.wire import Address, Limits, serve

WRONG_INPUT = 2

_LIMITS = Limits(max_body_bytes=8 * 1024 * 1024)
"""A context of 131,072 tokens is half a megabyte of text, and JSON can make six of one byte."""


class WrongInputError(Exception):
    """What was given cannot be used; the message says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to end; the exit status."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        status: int = uvloop.run(_run(given))
    except WrongInputError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_INPUT
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neocloud.engines.emulated",
        description="Serve the emulated replicas of a plan on one address.",
    )
    parser.add_argument("--cloud", type=Path, required=True, help="the cloud file")
    parser.add_argument("--plan", type=Path, required=True, help="the plan made from it")
    parser.add_argument(
        "--listen", default="127.0.0.1:0", help="host:port; port 0 takes a free one (default)"
    )
    parser.add_argument(
        "--grace",
        type=float,
        default=30.0,
        help="seconds that running answers may take after SIGTERM (default 30)",
    )
    parser.add_argument(
        "--max-queue",
        type=int,
        default=1024,
        help="requests that may wait in each replica, more get 503; 0 for no bound (default 1024)",
    )
    return parser


def _opened(cloud_path: Path, plan_path: Path) -> tuple[Cloud, Catalog, Plan]:
    catalog = load_catalog()
    try:
        cloud = load_cloud(cloud_path, catalog)
        plan = read_plan(plan_path)
    except SpecError as error:
        raise WrongInputError("\n".join(str(problem) for problem in error.problems)) from None
    except PlanFileError as error:
        raise WrongInputError(str(error)) from None
    if plan.hashes.get("cloud") != cloud.content_hash:
        raise WrongInputError(
            f"{plan_path} was made from another version of {cloud_path}. "
            f"Plan again: neocloud plan {cloud_path}"
        )
    return cloud, catalog, plan


async def _run(given: argparse.Namespace) -> int:
    cloud, catalog, plan = _opened(given.cloud, given.plan)
    if given.max_queue < 0 or not 0 <= given.grace < float("inf"):
        raise WrongInputError("--max-queue and --grace must not be below 0")
    engines = build_engines(cloud, catalog, plan, max_queue=given.max_queue)
    if not engines:
        raise WrongInputError(
            f"{given.plan} has no emulated replica. Write `engine: emulated` at a pool of "
            f"{given.cloud} and plan again."
        )
    try:
        address = Address.of_url(f"http://{given.listen}")
        # Of a URL, 0 is no port; of --listen it is any free one.
        port = 0 if given.listen.endswith(":0") else address.port
        server = await serve(
            Service(engines, fingerprint(plan)), address.host, port, _LIMITS, refusal
        )
    except (ValueError, OSError) as error:
        raise WrongInputError(f"--listen {given.listen}: {error}") from None
    told, orphaned = _listen_for_the_end()
    host, port = server.address
    listening = {"listen": str(Address(host, port)), "replicas": list(engines)}
    sys.stdout.write(msgspec.json.encode(listening).decode() + "\n")
    sys.stdout.flush()
    gc.collect()
    gc.freeze()  # tables and catalog stay: no collection needs to look at them again
    await asyncio.wait((told, orphaned), return_when=asyncio.FIRST_COMPLETED)
    draining = asyncio.create_task(server.close_gracefully(0.0 if orphaned.done() else given.grace))
    await asyncio.wait((draining, orphaned), return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        await server.close_gracefully(0.0)
    cut = await draining
    for engine in engines.values():
        engine.replica.close()
    if cut:
        logging.getLogger(__name__).warning("%d answers were cut off", cut)
    return 0


def _listen_for_the_end() -> tuple[asyncio.Future[None], asyncio.Future[None]]:
    """What ends the process: being told to (SIGTERM, SIGINT), and its parent's death."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()
    orphaned: asyncio.Future[None] = loop.create_future()

    def end(why: asyncio.Future[None]) -> None:
        if not why.done():
            why.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, told)
    kind = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return told, orphaned  # started by hand: nobody holds the other end

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            end(orphaned)

    loop.add_reader(sys.stdin.fileno(), read)
    return told, orphaned
