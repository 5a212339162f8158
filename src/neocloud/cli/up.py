"""`neocloud up`: run the gateway."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from neocloud.cli.failure import Failure
from neocloud.cli.serving import Asked, served
from neocloud.engines import EngineStartError
from neocloud.gateway import Up, run
from neocloud.ledger import LedgerError


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
@click.option("--listen", help="Address and port; the file's own, or 127.0.0.1:9400.")
@click.option(
    "--ledger",
    help="sqlite:///FILE or postgresql://HOST/DATABASE; the file's own, or sqlite:///usage.db.",
)
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
    Tenants' keys: `neocloud key create`; without a file a first key is made and printed, unless
    the environment variable NEOCLOUD_KEY holds one. NEOCLOUD_UPSTREAM_KEY is the key that the
    upstreams ask for.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(message)s"
    )
    import uvloop

    try:
        found = served(
            Asked(
                cloud_file=cloud_file,
                plan_path=plan_path,
                upstreams=upstreams,
                listen=listen,
                ledger=ledger,
                grace_s=grace,
            )
        )
    except LedgerError as error:
        raise Failure(str(error)) from None
    for replica in found.unserved:
        click.echo(f"not served: {replica} (no --upstream names it)", err=True)
    settings = found.settings
    try:
        uvloop.run(run(settings, lambda up: _tell(up, found.first_key)))
    except (LedgerError, EngineStartError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Choose another address with --listen"
        ) from None


def _tell(up: Up, first_key: str) -> None:
    host = f"[{up.host}]" if ":" in up.host else up.host
    click.echo(f"listening on http://{host}:{up.port}")
    if first_key:
        click.echo(f"key: {first_key}")
        click.echo("This key is not shown again.", err=True)
    emulated = f", {up.emulated} of them EMULATED" if up.emulated else ""
    click.echo(f"{up.replicas} replicas{emulated}; {up.keys} keys", err=True)
    if up.recovered:
        click.echo(
            f"{up.recovered} requests that a crash left open are closed as interrupted", err=True
        )
    sys.stdout.flush()
