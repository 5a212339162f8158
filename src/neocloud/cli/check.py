"""`neocloud check`: send a served model a few fixed requests and say what fails."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
import msgspec

from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import Failure
from neocloud.cli.tables import console, table
from neocloud.engines import Endpoint, endpoint_of_url
from neocloud.engines.checks import CHECKS, CheckResult, Outcome, run_checks
from neocloud.wire import Client

_FAILED = 1
_GATEWAY = "http://127.0.0.1:9400"
_NAMES = tuple(name for name, _, _ in CHECKS)


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `neocloud check --json` prints. `passed`: every required check did."""

    model: str
    url: str
    passed: bool
    checks: tuple[CheckResult, ...]


@click.command(name="check")
@click.argument("model")
@click.option("--url", help="Base URL of the server; the gateway's unless given.")
@click.option(
    "--cloud", "cloud_file", type=click.Path(path_type=Path, dir_okay=False),
    help=f"Cloud file whose gateway is asked; without it and --url {_GATEWAY}.",
)  # fmt: skip
@click.option(
    "--key-env", default="NEOCLOUD_KEY", show_default=True,
    help="Environment variable that holds the key; none is sent where it is not set.",
)  # fmt: skip
@click.option(
    "--require", multiple=True, type=click.Choice(_NAMES),
    help="Check that must pass too. May be given several times.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(min=0.0, min_open=True), default=120.0, show_default=True,
    help="Seconds for each answer.",
)  # fmt: skip
@click.option(
    "--long-words", default=1500, show_default=True, type=click.IntRange(min=1),
    help="Words of the long prompt, each a token or more.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(
    model: str,
    url: str | None,
    cloud_file: Path | None,
    key_env: str,
    require: tuple[str, ...],
    timeout: float,
    long_words: int,
    as_json: bool,
) -> None:
    """Send MODEL a few fixed requests and say what fails and how.

    A whole answer, a stream with its usage, one token, a stop sequence and a long prompt must pass.
    Several answers, log probabilities, tools and JSON schemas are tried too; a model may not be
    able to, and --require says that it must. What the model says is not judged. Exit status 1 if a
    check fails that must pass.
    """
    base = url or _gateway(cloud_file)
    try:
        endpoint = endpoint_of_url(
            base, replica=f"-/-/{model}/0", model=model, key=os.environ.get(key_env, "")
        )
    except ValueError as error:
        raise Failure(f"--url: {error}") from None
    checks = asyncio.run(_run(endpoint, timeout, long_words, frozenset(require)))
    passed = all(c.outcome is not Outcome.FAILED for c in checks if c.required)
    if as_json:
        report = CheckReport(model=model, url=base, passed=passed, checks=checks)
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        _show(model, base, checks)
    if not passed:
        raise click.exceptions.Exit(_FAILED)


async def _run(
    endpoint: Endpoint, timeout_s: float, long_words: int, required: frozenset[str]
) -> tuple[CheckResult, ...]:
    client = Client()
    try:
        return await run_checks(
            client.pool(endpoint.address),
            endpoint,
            timeout_s=timeout_s,
            long_words=long_words,
            required=required,
        )
    finally:
        await client.close()


def _gateway(cloud_file: Path | None) -> str:
    if cloud_file is None:
        return _GATEWAY
    gateway = open_cloud(cloud_file)[0].gateway
    scheme = "https" if gateway.tls_certificate else "http"
    host, _, port = gateway.listen.rpartition(":")
    # Where it listens on every address, it does so on this machine's own.
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"{scheme}://{host}:{port}"


def _show(model: str, url: str, checks: tuple[CheckResult, ...]) -> None:
    first: dict[str, str] = {}
    for check in checks:
        first.setdefault(check.detail, check.name)
    console().print(
        table(
            f"{model} at {url}",
            [("check", ""), ("", ""), ("must", ""), ("s", "right"), ("how", "wrap")],
            [
                [
                    c.name,
                    c.outcome,
                    "yes" if c.required else "",
                    f"{c.seconds:.2f}",
                    _how(c, first[c.detail]),
                ]
                for c in checks
            ],
        )
    )
    failed = [check for check in checks if check.outcome is Outcome.FAILED]
    must = sum(check.required for check in failed)
    done = sum(check.outcome is Outcome.PASSED for check in checks)
    click.echo(f"{done} of {len(checks)} passed; {len(failed)} failed, {must} of them must pass.")


def _how(check: CheckResult, first: str) -> str:
    """How it went; what an earlier check has told already is not told again."""
    return check.detail if not check.detail or first == check.name else f"as {first}"
