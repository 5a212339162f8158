"""`neocloud search`: the front of cost, interactivity and energy of one model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from neocloud.catalog import Catalog, CatalogError, load_catalog
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import INFEASIBLE, Failure
from neocloud.cli.search_tables import show_front
from neocloud.perf import CalibrationFileError, Predictor, predictor_with
from neocloud.planner.pictures.page import write_page
from neocloud.planner.pictures.plot import MissingMatplotlibError, draw_front, figure_type
from neocloud.planner.search.front import Front
from neocloud.planner.searches import Asked, asked_of, front_of, priced_accelerators
from neocloud.planner.standalone import Wish, WishError, standalone
from neocloud.spec import Cloud

_FILE = click.Path(path_type=Path, dir_okay=False)
_DEGREE = click.IntRange(1, 1024)
_OF_BOTH = {"model", "accelerators", "cloud", "calibration", "png", "html", "as_json", "quiet"}


@dataclass(frozen=True, slots=True)
class _Opened:
    """What is searched: a cloud, what is asked of it, and what was left out before."""

    cloud: Cloud
    catalog: Catalog
    asked: Asked
    left: dict[str, str]


def _wish_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options that stand for what a cloud file says otherwise."""
    usual = Wish(model="")
    options: list[tuple[list[str], dict[str, Any]]] = [
        (["--input-tokens"], {"type": click.FloatRange(1, 1e7), "default": usual.input_tokens,
         "help": "Tokens of a prompt."}),
        (["--output-tokens"], {"type": click.FloatRange(1, 1e7), "default": usual.output_tokens,
         "help": "Tokens of an answer."}),
        (["--lengths"], {"help": "A trace of the catalog in place of both, such as azure-conv."}),
        (["--ttft-ms"], {"type": click.FloatRange(0, 3.6e6, min_open=True),
         "default": usual.ttft_ms, "help": "Objective for the first token, the network left out."}),
        (["--tpot-ms"], {"type": click.FloatRange(0, 60_000, min_open=True),
         "default": usual.tpot_ms, "help": "Objective for each token after it."}),
        (["--percentile"], {"type": click.FloatRange(50, 99.9), "default": usual.percentile,
         "help": "Share of requests that must hold both, per cent."}),
        (["--precision", "precisions"], {"multiple": True,
         "help": "bf16, fp8, fp4, mxfp4, int8, int4; again for more; the checkpoint's own unless "
         "given."}),
        (["--kv-precision", "kv_precisions"], {"type": click.Choice(["bf16", "fp8"]),
         "multiple": True, "help": "Of the KV cache; again for both; bf16 unless given."}),
        (["--confidence"], {"type": click.FloatRange(0.5, 0.95), "default": usual.confidence,
         "help": "Quantile of the prediction: at 0.8 four of five replicas are as fast."}),
        (["--max-accelerators"], {"type": _DEGREE, "default": usual.max_accelerators,
         "help": "Accelerators of one replica at most, all its workers."}),
        (["--tp"], {"type": _DEGREE, "multiple": True,
         "help": "Tensor parallelism to look at; again for more; the cloud file's default unless "
         "given."}),
        (["--attention-dp"], {"type": _DEGREE, "multiple": True,
         "help": "Data parallelism of the attention, for models with experts; powers of two up to "
         "--max-accelerators unless given."}),
        (["--pp"], {"type": click.IntRange(1, 64), "multiple": True,
         "help": "Stages; again for more; the cloud file's default unless given."}),
        (["--engine"], {"type": click.Choice(["vllm", "sglang"]), "default": usual.engine,
         "help": "What runs the model."}),
        (["--usd-per-mwh"], {"type": click.FloatRange(0, 10_000),
         "help": "Price of energy; that of the catalog for industry around Washington unless "
         "given."}),
        (["--pue"], {"type": click.FloatRange(1, 3),
         "help": "Power of the facility over power of its IT; 1.25 unless given."}),
    ]  # fmt: skip
    for names, settings in reversed(options):
        default = settings.get("default")
        shown = default is not None
        if isinstance(default, float) and default.is_integer():
            settings["default"] = int(default)  # the help says 1024, not 1024.0
        command = click.option(*names, show_default=shown, **settings)(command)
    return command


@click.command(name="search")
@click.argument("model")
@click.option(
    "--accelerator",
    "accelerators",
    multiple=True,
    help="Catalog key to look at, such as h100-sxm; again for more; all unless given.",
)
@click.option("--cloud", type=_FILE, help="Take MODEL, pools, prices and all else from this file.")
@_wish_options
@click.option("--calibration", type=_FILE, help="What `neocloud accuracy --fit` made of own rows.")
@click.option("--png", type=_FILE, help="Draw it here, as PNG or SVG by the ending.")
@click.option("--html", type=_FILE, help="Write it here as a page that needs no other file.")
@click.option("--json", "as_json", is_flag=True, help="Print the front as JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    model: str,
    accelerators: tuple[str, ...],
    cloud: Path | None,
    calibration: Path | None,
    png: Path | None,
    html: Path | None,
    as_json: bool,
    quiet: bool,
    **wished: Any,
) -> None:
    """Find the front of cost, interactivity and energy of MODEL over all accelerators.

    MODEL is a catalog name, the path of a config.json, or with --cloud a model of that file. Shows
    which accelerators, parallelism, precision and batch no other way to run it beats, and the
    cheapest within the latency objective. Exit status 3 if no accelerator serves it.
    """
    try:
        if png is not None:
            figure_type()
        predictor = predictor_with(calibration)
        if cloud is None:
            wish = Wish(model=model, **{k: v for k, v in wished.items() if v is not None})
            opened = _without_file(wish, accelerators, predictor)
        else:
            _nothing_of_the_file(ctx)
            opened = _of_file(cloud, model, accelerators)
        front = _search(opened, predictor, shown=not quiet and sys.stderr.isatty())
    except (CalibrationFileError, CatalogError, MissingMatplotlibError, WishError) as error:
        raise Failure(str(error)) from None
    _draw(front, png, html)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(front), indent=2).decode())
        return
    show_front(front)
    for path in (png, html):
        if path is not None:
            click.echo(f"Picture: {path}")


def _nothing_of_the_file(ctx: click.Context) -> None:
    """Refuse options that say what the cloud file says."""
    other = [
        next(p.opts[0] for p in ctx.command.params if p.name == name)
        for name in ctx.params
        if name not in _OF_BOTH and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if other:
        raise click.UsageError(
            f"The file of --cloud says that itself: change it there and leave out "
            f"{', '.join(sorted(other))}, or leave out --cloud."
        )


def _without_file(wish: Wish, accelerators: tuple[str, ...], predictor: Predictor) -> _Opened:
    catalog = load_catalog()
    catalog.architecture(wish.model, Path.cwd())
    if wish.lengths:
        catalog.trace(wish.lengths)
    kept, left = priced_accelerators(catalog, predictor, accelerators)
    if not kept:
        told = "\n".join(f"  {key}: {reason}" for key, reason in left.items())
        raise Failure(f"none of these accelerators can be searched:\n{told}")
    cloud, asked = standalone(wish, kept, catalog, Path.cwd())
    return _Opened(cloud, catalog, asked, left)


def _of_file(path: Path, model: str, accelerators: tuple[str, ...]) -> _Opened:
    cloud, catalog = open_cloud(path)
    if model not in cloud.models:
        raise Failure(
            f"{path} has no model {model!r}; its models: {', '.join(cloud.models)}. Name one of "
            "these, or leave out --cloud for a model of the catalog."
        )
    standing = sorted({p.accelerator for site in cloud.sites.values() for p in site.pools})
    for key in accelerators:
        if key not in standing:
            raise Failure(
                f"{path} has no pool of {key!r}; its pools: {', '.join(standing)}. Name one of "
                "these, or leave out --accelerator for all."
            )
    try:
        return _Opened(cloud, catalog, asked_of(cloud, catalog, model, accelerators), {})
    except ValueError as error:
        raise Failure(
            f"{path}: {error}, so how long its requests are is not known. Add a demand for it."
        ) from None


def _search(opened: _Opened, predictor: Predictor, *, shown: bool) -> Front:
    def progress(line: str, share: float | None = None) -> None:
        if shown:
            done = "" if share is None else f" ({share:.0%})"
            click.echo(f"\r\033[K{line}{done}", nl=False, err=True)

    front = front_of(opened.asked, opened.cloud, opened.catalog, predictor, progress)
    if shown:
        click.echo("\r\033[K", nl=False, err=True)
    front = msgspec.structs.replace(front, skipped={**opened.left, **front.skipped})
    if not front.points:
        reasons = [f"  {place}: {reason}" for place, reason in front.hopeless.items()]
        reasons += [f"  {place}: {reason}" for place, reason in front.skipped.items()]
        told = "\n".join(reasons)
        raise Failure(
            f"no accelerator serves {front.model}.\n{told}\nAllow larger replicas "
            "(--max-accelerators), a smaller number format (--precision) or shorter requests.",
            INFEASIBLE,
        )
    return front


def _draw(front: Front, png: Path | None, html: Path | None) -> None:
    for path, option, write in ((png, "--png", draw_front), (html, "--html", write_page)):
        if path is None:
            continue
        try:
            write(front, path)
        except OSError as error:
            raise Failure(
                f"{path}: cannot be written: {error.strerror}. Give another path with {option}."
            ) from None
        except ValueError:
            raise Failure(
                f"{path}: the ending must be .png or .svg. Give another path with {option}."
            ) from None
