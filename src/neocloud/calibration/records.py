"""A measured row in the model's own terms: what was run, and, apart from it, what came out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from neocloud.perf import Configuration


class Table(StrEnum):
    """The three layouts of measured rows."""

    DEEPSEEK = "deepseek_r1_serving"
    NVIDIA = "nvidia_serving"
    THROUGHPUT = "throughput"


class Mode(StrEnum):
    """How requests were offered."""

    CLOSED = "closed"
    """A fixed number in flight, prefill and generation in one engine."""
    OFFLINE = "offline"
    """All queued at once: the most the deployment gives."""
    RATE = "rate"
    """So many a second."""
    DISAGGREGATED = "disaggregated"
    """A fixed number in flight, prefill and generation in separate engines."""


class RowError(ValueError):
    """A row that cannot be read or predicted; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What was run.

    Attributes:
        table: layout that the row came in.
        id: of the row, for messages.
        model: catalog name of the architecture.
        published: the model's name in the row.
        decode: configuration of one replica; of one decode worker where prefill is apart.
        replicas: how many of them.
        prefill: configuration of one prefill worker, or None.
        prefill_replicas: how many of them.
        mode: how requests were offered.
        inputs: mean prompt length, tokens.
        outputs: mean answer length, tokens.
        concurrency: requests in flight over the whole deployment.
        rate: requests a second offered; only in mode `rate`.
        engine_layer: what splits prefill from generation: `dynamo`, `mori`, or nothing.
        release: engine and version, or empty.
        year: date as a year with its fraction; None where the row has none.
        chosen: what the row does not say and was chosen as an engine's default would be.
    """

    table: Table
    id: str
    model: str
    published: str
    decode: Configuration
    replicas: int
    prefill: Configuration | None = None
    prefill_replicas: int = 0
    mode: Mode
    inputs: float
    outputs: float
    concurrency: float
    rate: float = 0.0
    engine_layer: str = ""
    release: str = ""
    year: float | None = None
    chosen: str = ""

    @property
    def accelerators(self) -> int:
        """Accelerators of the whole deployment."""
        prefill = 0 if self.prefill is None else self.prefill.accelerators
        return self.replicas * self.decode.accelerators + self.prefill_replicas * prefill

    @property
    def group(self) -> str:
        """What is left out together when a fit is judged.

        One accelerator, engine, precision and pair of lengths; other models than DeepSeek-R1 also
        by model and parallelism.
        """
        c = self.decode
        parts = [c.accelerator, c.engine, c.precision, f"{self.inputs:.0f}x{self.outputs:.0f}"]
        if self.table is not Table.DEEPSEEK:
            parts += [self.model, f"{c.tp}.{c.attention_dp}.{c.pp}.{c.ep}x{self.replicas}"]
        elif self.prefill is not None:
            parts.append("disaggregated")
        return "/".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came out; None where the row does not say.

    Attributes:
        throughput: tokens in and out a second and accelerator.
        ttft_s: time to the first token.
        tpot_s: time per output token after the first.
        power_w: of one accelerator.
    """

    throughput: float | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    power_w: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its case, or why it has none; measured values only where the fit asks for them."""

    fields: dict[str, str]
    case: Case | None
    reason: str = ""
    measured: Measured = Measured()
