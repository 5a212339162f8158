"""`neocloud up`: run the gateway."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

import click

from neocloud.cli.failure import Failure
from neocloud.cli.managing import management
from neocloud.cli.serving import LEDGER_WITHOUT_FILE, Asked, Served, Serving, withdraw_first_key
from neocloud.cli.tables import counted
from neocloud.engines import EngineStartError
from neocloud.gateway import (
    LogFormat,
    Management,
    SettingsError,
    Up,
    WorkerError,
    configure,
    run,
)
from neocloud.ledger import LedgerError
from neocloud.quotas import BankError, TenantLimit

_FILE = click.Path(path_type=Path, dir_okay=False)
_COUNT = click.IntRange(min=1)


@click.command(name="up")
@click.argument("cloud_file", required=False, type=_FILE)
@click.option("--plan", "plan_path", type=_FILE, help="Plan to run; plan.json beside the file.")
@click.option(
    "--upstream", "upstreams", multiple=True, metavar="URL or REPLICA=URL",
    help="OpenAI-compatible server. Without a file: its URL. With one: the replica of the plan "
    "that it is, as site/pool/model/0=URL. May be given several times.",
)  # fmt: skip
@click.option(
    "--model", metavar="FILE.gguf",
    help="Serve this model with llama.cpp: a file, or hub:OWNER/REPOSITORY/FILE.gguf.",
)  # fmt: skip
@click.option(
    "--start-engines", is_flag=True, help="Start the plan's vLLM and SGLang on this machine."
)
@click.option(
    "--site", "sites", multiple=True,
    help="Site of the file that this machine stands at, for --start-engines. May be repeated.",
)  # fmt: skip
@click.option("--listen", help="Address and port; the file's own, or 127.0.0.1:9400.")
@click.option("--admin-listen", help="Address and port of the admin API; the file's own, or none.")
@click.option(
    "--ledger",
    help="sqlite:///FILE or postgresql://HOST/DATABASE; the file's own, or sqlite:///usage.db.",
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), help="Processes that serve; the file's own, or 1."
)
@click.option("--requests-per-minute", type=_COUNT, help="Without a file: limit of requests.")
@click.option("--tokens-per-minute", type=_COUNT, help="Without a file: limit of tokens.")
@click.option("--concurrent", type=_COUNT, help="Without a file: limit of requests at once.")
@click.option("--tls-certificate", type=_FILE, help="Certificate chain, PEM; the file's own.")
@click.option("--tls-key", type=_FILE, help="Key of the certificate, PEM; the file's own.")
@click.option(
    "--grace", type=click.FloatRange(min=0.0), default=30.0, show_default=True,
    help="Seconds for answers to end.",
)  # fmt: skip
@click.option("--verbose", is_flag=True, help="Log what happens, and a line for each request.")
@click.option(
    "--log-format", type=click.Choice(("text", "json")), default="text", show_default=True,
    help="Lines for people, or an object a line for programs.",
)  # fmt: skip
def command(
    cloud_file: Path | None,
    plan_path: Path | None,
    upstreams: tuple[str, ...],
    model: str | None,
    start_engines: bool,
    sites: tuple[str, ...],
    listen: str | None,
    admin_listen: str | None,
    ledger: str | None,
    workers: int | None,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    concurrent: int | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    grace: float,
    verbose: bool,
    log_format: LogFormat,
) -> None:
    """Run the gateway of CLOUD_FILE's plan, or before any OpenAI-compatible server.

    Emulated pools are started with it; real engines are named by --upstream, or started by
    --start-engines. Every request leaves exactly one record in the ledger before its answer ends.
    Ends well on SIGTERM or Ctrl-C, at once on a second one; reads its files again on SIGHUP.
    Tenants' keys: `neocloud key create`; without a file a first key is made and printed, unless
    the environment variable NEOCLOUD_KEY holds one. NEOCLOUD_UPSTREAM_KEY is the key that the
    upstreams ask for, NEOCLOUD_ADMIN_TOKEN the token that the admin API asks for.
    """
    configure(logging.INFO if verbose else logging.WARNING, log_format)
    _run(
        Asked(
            cloud_file=cloud_file,
            plan_path=plan_path,
            upstreams=upstreams,
            model=model,
            start_engines=start_engines,
            sites=sites,
            listen=listen,
            admin_listen=admin_listen,
            ledger=ledger,
            workers=workers,
            limit=TenantLimit(
                requests_per_minute=requests_per_minute,
                tokens_per_minute=tokens_per_minute,
                concurrent_requests=concurrent,
            ),
            tls_certificate=tls_certificate,
            tls_key=tls_key,
            grace_s=grace,
        )
    )


def _run(asked: Asked) -> None:
    serving = Serving(asked)
    try:
        found = serving.begin()
        for note in found.notes:
            click.echo(note, err=True)
        managed = management(serving, found.settings.ledger)
        _run_and_tell(found, managed, asked)
    except SettingsError as error:
        hint = ". Choose another address with --listen" if "cannot listen" in str(error) else ""
        raise Failure(f"{error}{hint}") from None
    except (LedgerError, BankError, EngineStartError, WorkerError) as error:
        raise Failure(str(error)) from None


def _run_and_tell(found: Served, managed: Management, asked: Asked) -> None:
    """Run it; a first key that could not be told, since it did not come up, is withdrawn."""
    import uvloop

    told = False

    def tell(up: Up) -> None:
        nonlocal told
        told = True
        _tell(up, found.first_key)
        if asked.cloud_file is None and not found.first_key and not found.settings.given_keys:
            place = found.settings.ledger
            ledger = (asked.ledger or LEDGER_WITHOUT_FILE) if place.path else place.name
            another = f"neocloud key create --ledger {ledger}"
            click.echo(f"Keys made before hold; for another: {another}", err=True)

    try:
        uvloop.run(run(found.settings, managed, tell))
    finally:
        if not told:
            with suppress(LedgerError):  # what kept it from coming up is told instead
                withdraw_first_key(found)


def _tell(up: Up, first_key: str) -> None:
    scheme = "https" if up.tls else "http"
    click.echo(f"listening on {scheme}://{up.listen}")
    if first_key:
        click.echo(f"key: {first_key}")
        click.echo("This key is not shown again.", err=True)
    if up.admin is not None:
        click.echo(f"admin API on {scheme}://{up.admin}/admin/", err=True)
    emulated = f", {up.emulated} of them EMULATED" if up.emulated else ""
    processes = f"; {up.workers} processes" if up.workers > 1 else ""
    replicas, keys = counted(up.replicas, "replica"), counted(up.keys, "key")
    click.echo(f"{replicas}{emulated}; {keys}{processes}", err=True)
    if up.recovered:
        left = counted(up.recovered, "request")
        are = "is" if up.recovered == 1 else "are"
        click.echo(f"{left} that a crash left open {are} closed as interrupted", err=True)
    sys.stdout.flush()
