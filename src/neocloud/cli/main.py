"""`neocloud`: the verbs, each imported when it is asked for, and what an error looks like."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from neocloud import __version__
from neocloud.cli.failure import Failure

_VERBS = {
    "init": "Write a small cloud.yaml to start from.",
    "validate": "Check a cloud.yaml and sum it up.",
    "catalog": "Show what is known of accelerators, models, metros, power and prices.",
    "schema": "Print the JSON Schema of cloud.yaml, for editors.",
    "predict": "Predict one model on one accelerator.",
    "search": "Find the front of cost, interactivity and energy of a model.",
    "accuracy": "Compare predictions with measured rows, or fit to your own.",
    "plan": "Find the cheapest way to serve the demand.",
    "compare": "Set two clouds side by side, at equal objectives and at equal cost.",
    "up": "Run the gateway, with a plan's engines or before any OpenAI-compatible server.",
    "check": "Send a served model a few fixed requests and say what fails.",
    "key": "Make, list, rotate and revoke API keys.",
    "usage": "Show what was metered.",
    "export": "Write what was metered and billed as files for other programs.",
    "ledger": "Back up, verify, compact, migrate or fill a ledger.",
    "rate": "Show what usage costs, and how that differs from what was billed.",
    "credit": "Show what prepaid credits are worth now.",
    "invoice": "Show and issue the invoices of tenants, and take them back.",
    "payment": "Book payments of tenants, and show what they owe.",
    "reconcile": "Prove that events, rated lines, invoices and accounts agree.",
    "report": "Show cost and margin by tier, statements, debt, indicators.",
    "stress": "Show what shocks do to debt, cash and owners, and what breaks first.",
}


class _Verbs(click.Group):
    """Verbs by name; a module is imported when its verb is used, so that `--help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(f"neocloud.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="neocloud")
def cli() -> None:
    """Plan and run a multi-site GPU cloud for AI inference out of one file, cloud.yaml.

    Exit status: 0 done, 1 `reconcile` found differences, 2 wrong input, 3 infeasible.
    """


def main() -> None:
    """Run the command line; user errors become a message and an exit status, never a traceback."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except Failure as failure:
        click.echo(str(failure), err=True)
        sys.exit(failure.status)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
