"""The process of the emulated engines: what it is told, its life, its end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import signal
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import uvloop

from neocloud.catalog import Catalog, load_catalog
from neocloud.engines.emulated.answering import Engine
from neocloud.engines.emulated.building import build_engines, fingerprint
from neocloud.engines.emulated.faults import Faults, read_faults
from neocloud.engines.emulated.requests import BadRequestError
from neocloud.engines.emulated.service import Service
from neocloud.engines.emulated.wording import refusal
from neocloud.planner import Plan, PlanFileError, read_plan
from neocloud.spec import Cloud, SpecError, load_cloud
from neocloud.wire import Address, Limits, Server, serve

WRONG_INPUT = 2

_LIMITS = Limits(max_body_bytes=8 * 1024 * 1024)
"""A context of 131,072 tokens is half a megabyte of text, and JSON can make six of one byte."""


EVERY_REPLICA = "all"


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
    _add_emulation(parser)
    return parser


def _add_emulation(parser: argparse.ArgumentParser) -> None:
    """Options about what is emulated."""
    parser.add_argument(
        "--names",
        choices=("vllm", "sglang"),
        default="vllm",
        help="whose metrics and pages about health the engines have (default vllm)",
    )
    parser.add_argument(
        "--stream-interval", type=int, default=1, help="tokens of an event (default 1)"
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="steps pass so many times as fast (default 1)"
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        help="standard deviation of the logarithm of a step's time (default 0)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default 0)")
    parser.add_argument(
        "--on-sigterm",
        choices=("drain", "refuse", "abort"),
        default="drain",
        help="drain: listen no more, let answers finish. refuse: answer new requests with 500 "
        "meanwhile. abort: an error into each stream, and end (default drain)",
    )
    parser.add_argument(
        "--fault",
        nargs=2,
        action="append",
        default=[],
        metavar=("REPLICA", "JSON"),
        help=f"faults of a replica, or of all ({EVERY_REPLICA})",
    )
    parser.add_argument(
        "--control", action="store_true", help="let faults be changed at /control/faults"
    )


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
    if given.stream_interval < 1 or not 0 < given.speed < float("inf"):
        raise WrongInputError("--stream-interval must be at least 1, and --speed above 0")
    if not 0 <= given.noise < 1:
        raise WrongInputError("--noise must be from 0 to below 1")
    engines = build_engines(
        cloud, catalog, plan,
        max_queue=given.max_queue, speed=given.speed, noise=given.noise, seed=given.seed,
    )  # fmt: skip
    if not engines:
        raise WrongInputError(
            f"{given.plan} has no emulated replica. Write `engine: emulated` at a pool of "
            f"{given.cloud} and plan again."
        )
    service = Service(
        engines,
        fingerprint(plan),
        family=given.names,
        stream_interval=given.stream_interval,
        faults=_faults(given.fault, engines),
        control=given.control,
    )
    try:
        address = Address.of_url(f"http://{given.listen}")
        # Of a URL, 0 is no port; of --listen it is any free one.
        port = 0 if given.listen.endswith(":0") else address.port
        if given.control and not _is_loopback(address.host):
            raise WrongInputError("--control is for a loopback address: tenants must not reach it")
        server = await serve(service, address.host, port, _LIMITS, refusal)
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
    grace_s = 0.0 if orphaned.done() else given.grace
    draining = asyncio.create_task(_drain(server, service, engines, given.on_sigterm, grace_s))
    await asyncio.wait((draining, orphaned), return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        await server.close_gracefully(0.0)
    cut = await draining
    for engine in engines.values():
        engine.replica.close()
    if cut:
        logging.getLogger(__name__).warning("%d answers were cut off", cut)
    return 0


def _faults(given: Sequence[tuple[str, str]], engines: Mapping[str, Engine]) -> dict[str, Faults]:
    """Faults by replica, as the options name them."""
    found: dict[str, Faults] = {}
    for name, text in given:
        if name != EVERY_REPLICA and name not in engines:
            raise WrongInputError(f"--fault {name}: there are {', '.join(engines)}")
        try:
            faults = read_faults(text)
        except BadRequestError as error:
            raise WrongInputError(f"--fault {name} {text}: {error}") from None
        found |= dict.fromkeys(engines if name == EVERY_REPLICA else (name,), faults)
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _drain(
    server: Server, service: Service, engines: Mapping[str, Engine], how: str, grace_s: float
) -> int:
    """End as `--on-sigterm` says; how many connections were cut off."""
    if how == "abort":
        for engine in engines.values():
            engine.replica.fail()
    elif how == "refuse":
        service.draining = True
        until = time.monotonic() + grace_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                for engine in engines.values():
                    await engine.replica.until_idle()
        grace_s = max(0.0, until - time.monotonic())
    return await server.close_gracefully(grace_s)


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
