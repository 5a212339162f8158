"""docs/reference/cli.md: every verb with its arguments and options, from its command itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
import markdown

from neocloud.cli.main import cli

_INTRO = """\
Each verb reads a cloud file or stands alone; none keeps state of its own outside the ledger.

Exit status: 0 done, 1 `reconcile` found differences, 2 wrong input, 3 infeasible. What went wrong
is on standard error with what to do about it; results are on standard output. `--json`, where a
verb has it, prints one JSON document and nothing else."""


def render() -> str:
    """The whole page."""
    parts = [_INTRO]
    context = click.Context(cli, info_name="neocloud")
    for name, command in _commands(cli, context):
        parts += _section(name, command)
    return markdown.page("Verbs", *parts)


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Commands in their order, those inside a group after it."""
    for name in group.list_commands(context):
        try:
            command = group.get_command(context, name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("neocloud."):
                continue  # announced, not there
            raise
        if command is None:
            continue
        path = f"{context.command_path} {name}"
        yield path, command
        if isinstance(command, click.Group):
            yield from _commands(command, click.Context(command, context, info_name=name))


def _section(path: str, command: click.Command) -> list[str]:
    depth = path.count(" ") + 1
    free = any(isinstance(p, click.Option) and not p.required for p in command.params)
    pieces = [path, "[OPTIONS]" if free else "", *map(_usage, command.params)]
    if isinstance(command, click.Group):
        pieces.append("VERB ...")
    found = [
        f"{'#' * depth} {path.removeprefix('neocloud ')}",
        markdown.block(" ".join(filter(None, pieces))),
        inspect.cleandoc(command.help or "").replace("\b\n", ""),
    ]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        found.append(markdown.table(["option", "meaning", "default"], list(map(_row, options))))
    return found


def _usage(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        name = parameter.human_readable_name.upper()
        shown = f"{name}..." if parameter.nargs == -1 else name
        return shown if parameter.required else f"[{shown}]"
    if isinstance(parameter, click.Option) and parameter.required:
        return f"{parameter.opts[0]} {_metavar(parameter)}"
    return ""


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    if isinstance(option.type, click.IntRange | click.FloatRange):
        low, high = option.type.min, option.type.max
        return f"{low:,.10g} to {high:,.10g}" if low is not None and high is not None else "NUMBER"
    return option.type.name.upper()


def _row(option: click.Option) -> list[str]:
    flag = option.is_flag or option.count
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    shown = names if flag else f"{names} {_metavar(option)}"
    default = option.default
    known = isinstance(default, int | float | str) and not isinstance(default, bool)
    return [shown, option.help or "", f"`{default}`" if known and not flag else ""]
