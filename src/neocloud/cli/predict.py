"""`neocloud predict`: one model on one accelerator, or the rows of a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec
from click.core import ParameterSource

from neocloud.calibration import RowError, predict_file
from neocloud.catalog import Catalog, CatalogError, load_catalog
from neocloud.cli.cloud_file import open_cloud
from neocloud.cli.failure import INFEASIBLE, Failure
from neocloud.cli.predict_tables import show_prediction, show_rows
from neocloud.perf import (
    CalibrationFileError,
    Configuration,
    ConfigurationError,
    DoesNotFitError,
    Load,
    NoParametersError,
    Prediction,
    Predictor,
    predict,
    predictor_with,
)

_FILE = click.Path(path_type=Path, dir_okay=False)
_COUNT = click.IntRange(1, 1024)
_OF_BOTH = {"calibration", "cloud"}
_OF_ROWS = {"rows", "out"}


@click.command(name="predict")
@click.option("--model", help="Catalog name, or path of a config.json.")
@click.option("--accelerator", help="Catalog key, such as h100-sxm, or one of the --cloud file.")
@click.option(
    "--tp",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Accelerators that share each layer: tensor parallelism.",
)
@click.option(
    "--pp",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Stages that share the layers: pipeline parallelism.",
)
@click.option(
    "--attention-dp",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Groups of tp accelerators with requests of their own that share the experts.",
)
@click.option(
    "--ep",
    type=_COUNT,
    default=1,
    show_default=True,
    help="Above 1, each expert lies whole on one accelerator: expert parallelism.",
)
@click.option(
    "--precision", help="bf16, fp8, fp4, mxfp4, int8, int4; the checkpoint's own unless given."
)
@click.option("--kv-precision", default="bf16", show_default=True, help="bf16 or fp8.")
@click.option(
    "--engine",
    type=click.Choice(["vllm", "sglang", "trtllm", "atom"]),
    default="vllm",
    show_default=True,
    help="What runs the model.",
)
@click.option(
    "--drafts",
    type=click.IntRange(0, 16),
    default=0,
    show_default=True,
    help="Tokens drafted for each sequence and step by the model's MTP layers.",
)
@click.option(
    "--isl",
    type=click.FloatRange(1, 1e7),
    default=1024,
    show_default=True,
    help="Tokens of a prompt.",
)
@click.option(
    "--osl",
    type=click.FloatRange(1, 1e7),
    default=1024,
    show_default=True,
    help="Tokens of an answer.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 100_000),
    default=64,
    show_default=True,
    help="Requests in flight at once, a new one for each that ends.",
)
@click.option(
    "--max-batch",
    type=click.IntRange(1, 65_536),
    help="Most sequences in one step; the concurrency unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the prediction as JSON.")
@click.option("--rows", type=_FILE, help="Predict every row of this CSV instead; with --out.")
@click.option("--out", type=_FILE, help="Where the rows go, predictions added; with --rows.")
@click.option("--cloud", type=_FILE, help="A cloud file, for the accelerators it adds or changes.")
@click.option("--calibration", type=_FILE, help="What `neocloud accuracy --fit` made of own rows.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    model: str | None,
    accelerator: str | None,
    rows: Path | None,
    out: Path | None,
    cloud: Path | None,
    calibration: Path | None,
    as_json: bool,
    **settings: object,
) -> None:
    """Predict throughput, latency, memory and energy of one replica at a fixed concurrency.

    With --rows and --out, predict the rows of a file in any of the three layouts of measured
    results instead; what they measured is not read. Exit status 3 if the model does not fit.
    """
    _one_form(ctx, rows, out)
    catalog = load_catalog()
    if cloud is not None:
        opened, catalog = open_cloud(cloud)
        catalog = opened.seen(catalog)
    try:
        predictor = predictor_with(calibration)
    except CalibrationFileError as error:
        raise Failure(str(error)) from None
    if rows is not None and out is not None:
        _predict_rows(predictor, catalog, rows, out)
        return
    if model is None or accelerator is None:
        missing = "--model" if model is None else "--accelerator"
        raise click.UsageError(
            f"Missing option '{missing}'. Give --model and --accelerator, or --rows and --out."
        )
    found = _predict_one(predictor, catalog, model, accelerator, settings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    show_prediction(found)


def _one_form(ctx: click.Context, rows: Path | None, out: Path | None) -> None:
    """Refuse what mixes the two forms of the verb, or gives half of the second."""
    if rows is None and out is None:
        return
    if rows is None or out is None:
        raise click.UsageError("--rows and --out go together: --rows IN.csv --out OUT.csv.")
    other = [
        f"--{name.removeprefix('as_').replace('_', '-')}"
        for name in ctx.params
        if name not in _OF_BOTH | _OF_ROWS
        and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if other:
        raise click.UsageError(
            f"--rows takes models, accelerators and loads from the file: leave out "
            f"{', '.join(sorted(other))}, or leave out --rows and --out."
        )


def _predict_one(
    predictor: Predictor,
    catalog: Catalog,
    model: str,
    accelerator: str,
    settings: dict[str, object],
) -> Prediction:
    load = Load(
        input_tokens=float(str(settings.pop("isl"))), output_tokens=float(str(settings.pop("osl")))
    )
    concurrency = int(str(settings.pop("concurrency")))
    try:
        architecture = catalog.architecture(model, Path.cwd())
        settings["precision"] = settings["precision"] or architecture.published_precision
        settings["max_batch"] = settings["max_batch"] or concurrency
        configuration = msgspec.convert({"accelerator": accelerator, **settings}, Configuration)
        return predict(
            architecture,
            catalog.accelerator(accelerator),
            configuration,
            load,
            concurrency,
            predictor,
        )
    except DoesNotFitError as error:
        raise Failure(str(error), INFEASIBLE) from None
    except (CatalogError, ConfigurationError, NoParametersError) as error:
        raise Failure(str(error)) from None


def _predict_rows(predictor: Predictor, catalog: Catalog, rows: Path, out: Path) -> None:
    shown = sys.stderr.isatty()

    def progress(done: int) -> None:
        if shown:
            click.echo(f"\r{done:,} rows", nl=False, err=True)

    try:
        report = predict_file(predictor, catalog, rows, out, progress)
    except RowError as error:
        raise Failure(
            f"{rows}: {error}. docs/accuracy.md says which columns the three layouts have."
        ) from None
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}.") from None
    if shown:
        click.echo("", err=True)
    show_rows(report, rows, out)
