"""`neocloud export`: what was metered and billed, as files for other programs."""

from __future__ import annotations

from importlib import import_module

import click

_FORMS = {
    "parquet": ("export_events", "parquet"),
    "csv": ("export_events", "csv"),
    "books": ("export_books", "books"),
    "beancount": ("export_beancount", "beancount"),
    "focus": ("export_focus", "command"),
}
"""Form: the module of its verb, imported when it is used, and the verb's name there."""


class _Forms(click.Group):
    """A verb for each form of file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_FORMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _FORMS:
            known = ", ".join(map(repr, _FORMS))
            raise click.UsageError(f"FORMAT: {cmd_name!r} is not one of {known}.", ctx)
        module, name = _FORMS[cmd_name]
        command: click.Command = getattr(import_module(f"neocloud.cli.{module}"), name)
        return command


@click.command(cls=_Forms, name="export", subcommand_metavar="FORMAT ...")
def command() -> None:
    """Write what was metered and billed as files of one FORMAT."""
