"""What the tests predict: models, accelerators and configurations of them that can exist."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hypothesis import strategies as st

from neocloud.catalog import Accelerator, Architecture, load_catalog
from neocloud.perf import (
    Configuration,
    ConfigurationError,
    Memory,
    StepNumbers,
    StepTable,
    memory,
    step_numbers,
    table_of,
)

CATALOG = load_catalog()
LLAMA_8B = "meta-llama/Meta-Llama-3.1-8B"
LLAMA_70B = "meta-llama/Meta-Llama-3.1-70B"
GPT_OSS = "openai/gpt-oss-120b"
DEEPSEEK_R1 = "deepseek-ai/DeepSeek-R1"
DEEPSEEK_V4 = "deepseek-ai/DeepSeek-V4-Flash"
MODELS = (
    LLAMA_8B,
    GPT_OSS,
    LLAMA_70B,
    "Qwen/Qwen3-32B-FP8",
    "Qwen/Qwen3-30B-A3B",
    "mistralai/Mixtral-8x7B-v0.1",
    DEEPSEEK_R1,
    "deepseek-ai/DeepSeek-V3.2",
    DEEPSEEK_V4,
    "Qwen/Qwen3.5-122B-A10B",
    "google/gemma-4-26B-A4B",
    "moonshotai/Kimi-K2.5",
)
"""Dense, experts, latent, sparse, compressed, linear, windows; published in 16, 8 and 4 bits."""
ACCELERATORS = ("h100-sxm", "h200-sxm", "b200-sxm", "l40s", "mi300x", "mi355x", "ascend-910b2")


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
        """Of the physics: what the numbers give too."""
        return table_of(self.numbers, self.configuration, self.architecture.max_context)

    @cached_property
    def memory(self) -> Memory:
        return memory(self.architecture, self.accelerator, self.configuration)

    @property
    def ranks(self) -> int:
        return self.configuration.attention_dp * self.configuration.pp

    def exists(self) -> bool:
        try:
            return self.numbers is not None
        except ConfigurationError:
            return False


def case(model: str, accelerator: str, **settings) -> Case:
    architecture = CATALOG.architecture(model)
    settings.setdefault("tp", 1)
    settings.setdefault("precision", architecture.published_precision)
    return Case(
        architecture,
        CATALOG.accelerator(accelerator),
        Configuration(accelerator=accelerator, **settings),
    )


@st.composite
def cases(draw, models: tuple[str, ...] = MODELS) -> Case:
    model = draw(st.sampled_from(models))
    accelerator = draw(st.sampled_from(ACCELERATORS))
    own = CATALOG.architecture(model)
    tp = draw(st.sampled_from([t for t in (1, 2, 4, 8) if own.query_heads % t == 0]))
    dp = draw(st.sampled_from((1, 1, 2, 4)))
    found = case(
        model,
        accelerator,
        tp=tp,
        attention_dp=dp,
        pp=draw(st.sampled_from((1, 1, 1, 2))),
        ep=draw(st.sampled_from((1, tp * dp))),
        precision=draw(st.sampled_from(sorted({own.published_precision, "bf16", "fp8", "int4"}))),
        kv_precision=draw(st.sampled_from(("bf16", "fp8"))),
        engine=draw(st.sampled_from(("vllm", "sglang", "trtllm"))),
        drafts=draw(st.sampled_from((0, 0, 1, 3))) if own.mtp_layers else 0,
        max_batch=draw(st.sampled_from((1, 7, 64, 256))),
        batch_tokens=draw(st.sampled_from((512, 2048, 8192))),
    )
    assert found.exists()
    return found


@dataclass(frozen=True)
class Work:
    """A step of one rank: whole numbers, as a scheduler composes it."""

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
