"""`neocloud predict`: one model on one accelerator."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from neocloud.catalog import CatalogError, load_catalog
from neocloud.cli.failure import INFEASIBLE, Failure
from neocloud.cli.tables import console, significant, table
from neocloud.perf import (
    Configuration,
    ConfigurationError,
    DoesNotFitError,
    Load,
    NoParametersError,
    Prediction,
    StepTerms,
    predict,
)


@click.command(name="predict")
@click.option("--model", required=True, help="Catalog name, or path of a config.json.")
@click.option("--accelerator", required=True, help="Catalog key, such as h100-sxm.")
@click.option(
    "--tp",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="Accelerators that share the model: tensor parallelism.",
)
@click.option(
    "--precision", help="bf16, fp8, fp4, mxfp4, int8, int4; the checkpoint's own unless given."
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
def command(
    model: str,
    accelerator: str,
    tp: int,
    precision: str | None,
    isl: float,
    osl: float,
    concurrency: int,
    max_batch: int | None,
    as_json: bool,
) -> None:
    """Predict throughput, latency, memory and energy of one replica at a fixed concurrency.

    Exit status 3 if the model does not fit.
    """
    catalog = load_catalog()
    try:
        architecture = catalog.architecture(model, Path.cwd())
        chip = catalog.accelerator(accelerator)
        configuration = Configuration(
            accelerator=accelerator,
            tp=tp,
            precision=precision or architecture.published_precision,
            max_batch=max_batch or concurrency,
        )
        load = Load(input_tokens=isl, output_tokens=osl)
        found = predict(architecture, chip, configuration, load, concurrency)
    except DoesNotFitError as error:
        raise Failure(str(error), INFEASIBLE) from None
    except (CatalogError, ConfigurationError, NoParametersError) as error:
        raise Failure(str(error)) from None
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    _show(found)


def _show(p: Prediction) -> None:
    c = p.configuration
    out = console()
    right = "right"
    out.print(
        table(
            f"{p.model} on {c.accelerators} x {c.accelerator}, {c.precision}, "
            f"{p.concurrency} at once, {p.load.input_tokens:g} in, {p.load.output_tokens:g} out",
            [("", ""), ("", right), ("", "")],
            [
                ["output tokens/s per accelerator", f"{p.output_tok_s_per_accelerator:,.0f}", ""],
                ["all tokens/s per accelerator", f"{p.total_tok_s_per_accelerator:,.0f}", ""],
                ["time to first token", f"{p.ttft_ms:,.0f}", "ms"],
                ["time per output token", f"{p.tpot_ms:,.2f}", "ms"],
                ["sequences generating", f"{p.decode_batch:,.1f}", ""],
                ["decode step at the roofline", f"{p.roofline_decode_ms:,.2f}", "ms"],
                ["power per accelerator, modelled", f"{p.watts_per_accelerator:,.0f}", "W"],
                ["energy per output token, modelled", significant(p.joules_per_output_token), "J"],
            ],
        )
    )
    _show_terms("One decode step", p.decode_step)
    _show_terms("One prompt alone", p.prefill_step)
    m = p.memory
    out.print(
        table(
            "Memory of one accelerator, GB",
            [(name, right) for name in ("capacity", "weights", "activations", "reserve", "KV")]
            + [("KV tokens of the replica", right)],
            [
                [f"{v / 1e9:.1f}" for v in (m.capacity, m.weights, m.activations, m.reserve)]
                + [f"{m.kv_cache / 1e9:.1f}", f"{m.kv_tokens:,}"]
            ],
        )
    )
    click.echo("docs/accuracy.md shows how near predictions come to measured results.")


def _show_terms(title: str, t: StepTerms) -> None:
    terms = {
        "weights": t.weights,
        "KV cache": t.kv_read,
        "prompt attention": t.prefill_attention,
        "collectives": t.collectives,
        "launches": t.floor,
        "host": t.host,
    }
    rows = [
        [name, f"{seconds * 1e3:.2f}", "█" * round(40 * seconds / t.total)]
        for name, seconds in terms.items()
        if seconds > 0
    ]
    console().print(
        table(f"{title}: {t.total * 1e3:.2f} ms", [("", ""), ("ms", "right"), ("", "")], rows)
    )
