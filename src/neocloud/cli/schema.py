"""`neocloud schema`: the JSON Schema of the cloud file, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from neocloud.cli.failure import Failure
from neocloud.spec import cloud_schema


@click.command(name="schema")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file."
)
def command(out: Path | None) -> None:
    """Print the JSON Schema of cloud.yaml, by which an editor completes and marks mistakes.

    An editor with a YAML language server reads it where the first line of the cloud file is
    `# yaml-language-server: $schema=FILE`. It knows shape and bounds; what names refer to, only
    `neocloud validate` checks.
    """
    text = json.dumps(cloud_schema(), indent=1, ensure_ascii=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}.") from None
    click.echo(
        f"{out} written. First line of the cloud file: # yaml-language-server: $schema={out.name}"
    )
