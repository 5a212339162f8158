"""Readers: how each family of models builds its layers, one module a family.

To add a model: write a function from `ConfigFields` to `Body` in the module of its family, name it
in `READERS`, and give `tests/catalog/parameters.csv` its publisher's count.
"""

from __future__ import annotations

from collections.abc import Mapping

from neocloud.catalog.readers.deepseek import deepseek_v3, deepseek_v32, glm_moe_dsa
from neocloud.catalog.readers.deepseek_v4 import deepseek_v4
from neocloud.catalog.readers.gemma import gemma4
from neocloud.catalog.readers.gpt_oss import gpt_oss
from neocloud.catalog.readers.kimi import kimi_linear
from neocloud.catalog.readers.llama import llama, llama4, mistral, mixtral
from neocloud.catalog.readers.mimo import mimo_v2_flash
from neocloud.catalog.readers.minimax import minimax_m2, minimax_m3
from neocloud.catalog.readers.parts import Body, Reader
from neocloud.catalog.readers.qwen3 import qwen3, qwen3_moe
from neocloud.catalog.readers.qwen3_5 import qwen3_5, qwen3_5_moe
from neocloud.catalog.readers.step import step3p7

READERS: Mapping[str, Reader] = {
    "llama": llama,
    "mistral": mistral,
    "mixtral": mixtral,
    "llama4_text": llama4,
    "qwen3": qwen3,
    "qwen3_moe": qwen3_moe,
    "qwen3_vl_text": qwen3,
    "qwen3_vl_moe_text": qwen3_moe,
    "gpt_oss": gpt_oss,
    "deepseek_v3": deepseek_v3,
    "deepseek_v32": deepseek_v32,
    "kimi_k2": deepseek_v3,
    "glm_moe_dsa": glm_moe_dsa,
    "deepseek_v4": deepseek_v4,
    "kimi_linear": kimi_linear,
    "qwen3_5_text": qwen3_5,
    "qwen3_5_moe_text": qwen3_5_moe,
    "gemma4_text": gemma4,
    "mimo_v2_flash": mimo_v2_flash,
    "minimax_m2": minimax_m2,
    "minimax_m3": minimax_m3,
    "step3p7": step3p7,
}
"""One reader a `model_type`; a vision wrapper's is the one of its `text_config`."""

__all__ = ["READERS", "Body", "Reader"]
