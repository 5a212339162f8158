"""What the tests predict: models, accelerators and configurations of them that can exist."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hypothesis import strategies as st

from neocloud.catalog import Accelerator, Architecture, load_catalog
from neocloud.perf import Configuration, StepNumbers, StepTable, step_numbers, step_table

CATALOG = load_catalog()
LLAMA_8B = "meta-llama/Meta-Llama-3.1-8B"
GPT_OSS = "openai/gpt-oss-120b"
MODELS = (
    LLAMA_8B,
    GPT_OSS,
    "meta-llama/Meta-Llama-3.1-70B",
    "Qwen/Qwen3-32B-FP8",
    "Qwen/Qwen3-30B-A3B",
    "mistralai/Mixtral-8x7B-v0.1",
)
ACCELERATORS = ("h100-sxm", "h200-sxm", "b200-sxm", "l40s", "mi300x", "mi355x")


@dataclass(frozen=True)
class Case:
    architecture: Architecture
    accelerator: Accelerator
    configuration: Configuration

    @cached_property
    def numbers(self) -> StepNumbers:
        return step_numbers(self.architecture, self.accelerator, self.configuration)

    @cached_property
    def table(self) -> StepTable:
        return step_table(self.architecture, self.accelerator, self.configuration)


def case(model: str, accelerator: str, **settings) -> Case:
    architecture = CATALOG.architecture(model)
    settings.setdefault("tp", 1)
    settings.setdefault("precision", architecture.checkpoint_precision)
    return Case(
        architecture,
        CATALOG.accelerator(accelerator),
        Configuration(accelerator=accelerator, **settings),
    )


@st.composite
def cases(draw) -> Case:
    model = draw(st.sampled_from(MODELS))
    accelerator = CATALOG.accelerator(draw(st.sampled_from(ACCELERATORS)))
    own = CATALOG.architecture(model).checkpoint_precision
    return case(
        model,
        accelerator.key,
        tp=draw(st.sampled_from([t for t in (1, 2, 4, 8) if t <= accelerator.scale_up_domain])),
        precision=draw(st.sampled_from(sorted({own, "bf16", "fp8"}))),
        kv_precision=draw(st.sampled_from(("bf16", "fp8"))),
        max_batch=draw(st.sampled_from((1, 7, 64, 256))),
        batch_tokens=draw(st.sampled_from((512, 2048, 8192))),
    )


@dataclass(frozen=True)
class Work:
    """A step: whole numbers, as a scheduler composes it."""

    decodes: int
    context: int
    prefill: int
    pairs: int

    def as_tuple(self) -> tuple[int, int, int, int]:
        return (self.decodes, self.context, self.prefill, self.pairs)


@st.composite
def works(draw, most_decodes: int = 512, most_prefill: int = 8192) -> Work:
    """A step that is not empty; its prompts have a past or not."""
    decodes = draw(st.integers(0, most_decodes))
    prefill = draw(st.integers(0 if decodes else 1, most_prefill))
    past = draw(st.sampled_from((0, 1, 100, 5000, 60_000)))
    return Work(
        decodes=decodes,
        context=decodes * draw(st.integers(1, 100_000)),
        prefill=prefill,
        pairs=prefill * (prefill + 1) // 2 + prefill * past,
    )
