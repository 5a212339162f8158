"""`neocloud init`: a small cloud file to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from neocloud.cli.failure import Failure


@click.command(name="init")
@click.argument("cloud_file", type=click.Path(path_type=Path), default=Path("cloud.yaml"))
def command(cloud_file: Path) -> None:
    """Write a small commented cloud file to CLOUD_FILE, cloud.yaml unless given.

    Never overwrites a file.
    """
    text = files("neocloud.cli").joinpath("templates/cloud.yaml").read_text(encoding="utf-8")
    try:
        with cloud_file.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Failure(
            f"{cloud_file} is there already and is left as it is. Give another name: "
            "neocloud init FILE"
        ) from None
    except OSError as error:
        raise Failure(f"{cloud_file} cannot be written: {error.strerror}.") from None
    click.echo(f"{cloud_file} written. Next: neocloud validate {cloud_file}")
