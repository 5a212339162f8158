"""Which parsers of tool calls and of reasoning a model's answers need, by family.

Engines cut tool calls and thoughts out of the generated text. Each release has its own list of
parsers, and which one fits depends on what the model was trained to write, not on its architecture:
DeepSeek V3 and R1 have one `config.json` and two parsers. A family is therefore known by its
`model_type` and by the checkpoint's name, and one that is not in the table gets no parser.

Names are those registered in vLLM 0.33.0 (`vllm/tool_parsers/__init__.py`,
`vllm/reasoning/__init__.py`) and SGLang 0.5.23 (`sglang/srt/function_call/parser_names.py`,
`sglang/srt/parser/reasoning_parser.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from neocloud.catalog import Architecture


@dataclass(frozen=True, slots=True)
class Parsers:
    """Names of one engine's parsers; empty where the family has no use for one."""

    tools: str = ""
    reasoning: str = ""
    template: str = ""
    """Chat template that tool calls need, in the engine's repository; empty: the checkpoint's."""


@dataclass(frozen=True, slots=True)
class Family:
    """Models that write tool calls and thoughts alike.

    Attributes:
        name: for people.
        model_types: of `config.json`.
        named: regular expression that finds the family in a checkpoint's name.
        vllm: parsers of vLLM.
        sglang: parsers of SGLang.
        source: where it says that this family takes these parsers.
    """

    name: str
    model_types: tuple[str, ...]
    named: str
    vllm: Parsers
    sglang: Parsers
    source: str


_MANUAL = "vllm-project/vllm docs/features/tool_calling.md"
_DETECTION = "SGLang 0.5.23 sglang/srt/parser/template_detection.py"
_SEPARATE = "docs.sglang.io advanced_features/separate_reasoning, tool_parser"
_RECIPES = "vllm-project/recipes"
_OWN = "parsers named after the model in vLLM 0.33.0 and SGLang 0.5.23"
_QWEN3 = ("qwen3", "qwen3_moe")
_QWEN3_VL = ("qwen3_vl", "qwen3_vl_moe")

# fmt: off
FAMILIES = (
    Family("DeepSeek R1", ("deepseek_v3",), r"\bR1\b",
           Parsers("deepseek_v3", "deepseek_r1", "examples/tool_chat_template_deepseekr1.jinja"),
           Parsers("deepseekv3", "deepseek-r1",
                   "examples/chat_template/tool_chat_template_deepseekr1.jinja"),
           f"{_MANUAL}; {_RECIPES} DeepSeek-R1; {_SEPARATE}"),
    Family("DeepSeek V3.1", ("deepseek_v3",), r"\bV3\.1",
           Parsers("deepseek_v31", "deepseek_v3", "examples/tool_chat_template_deepseekv31.jinja"),
           Parsers("deepseekv31", "deepseek-v3",
                   "examples/chat_template/tool_chat_template_deepseekv31.jinja"),
           f"{_MANUAL}; {_SEPARATE}"),
    Family("DeepSeek V3", ("deepseek_v3",), r"\bV3(?!\.)",
           Parsers("deepseek_v3", "", "examples/tool_chat_template_deepseekv3.jinja"),
           Parsers("deepseekv3", "",
                   "examples/chat_template/tool_chat_template_deepseekv3.jinja"),
           f"{_MANUAL}; {_SEPARATE}"),
    Family("DeepSeek V3.2", ("deepseek_v32",), r"\bV3\.2(?!-(Exp|Speciale))",
           Parsers("deepseek_v32", "deepseek_v3"), Parsers("deepseekv32", "deepseek-v3"),
           f"{_RECIPES} DeepSeek-V3.2; {_DETECTION}; {_SEPARATE}"),
    Family("DeepSeek V4", ("deepseek_v4",), r"\bV4(?!\.)",
           Parsers("deepseek_v4", "deepseek_v4"), Parsers("deepseekv4", "deepseek-v4"),
           f"{_OWN}; {_DETECTION}"),
    Family("Kimi K2 Thinking", ("kimi_k2",), r"Thinking",
           Parsers("kimi_k2", "kimi_k2"), Parsers("kimi_k2", "kimi_k2"), f"{_OWN}; {_SEPARATE}"),
    Family("Kimi K2", ("kimi_k2",), r"Instruct",
           Parsers("kimi_k2"), Parsers("kimi_k2"), f"{_MANUAL}; {_DETECTION}"),
    Family("Kimi K2.5", ("kimi_k25",), "",
           Parsers("kimi_k2", "kimi_k2"), Parsers("kimi_k2", "kimi_k2"),
           f"{_RECIPES} Kimi-K2.5; {_DETECTION}"),
    Family("Kimi K3", ("kimi_k3",), "",
           Parsers("kimi_k3", "kimi_k3"), Parsers("kimi_k3", "kimi_k3"), _OWN),
    Family("gpt-oss", ("gpt_oss",), "",
           Parsers("openai", "openai_gptoss"), Parsers("gpt-oss", "gpt-oss"),
           f"{_MANUAL}; {_DETECTION}"),
    Family("GLM-5", ("glm_moe_dsa",), "",
           Parsers("glm47", "glm45"), Parsers("glm47", "glm45"),
           f"{_RECIPES} GLM5; {_DETECTION}"),
    Family("Qwen3 Coder", _QWEN3, r"Coder",
           Parsers("qwen3_coder"), Parsers("qwen3_coder"), f"{_MANUAL}; {_DETECTION}"),
    Family("Qwen3 Thinking", _QWEN3, r"Qwen3-.*Thinking",
           Parsers("hermes", "qwen3"), Parsers("qwen", "qwen3-thinking"),
           f"{_RECIPES} Qwen3-32B; {_SEPARATE}"),
    Family("Qwen3 Instruct", _QWEN3, r"Qwen3-.*Instruct",
           Parsers("hermes"), Parsers("qwen"), f"{_RECIPES} Qwen3-32B; {_DETECTION}"),
    Family("Qwen3", _QWEN3, r"Qwen3-(?!.*(Base|Embedding|Reranker|Guard))",
           Parsers("hermes", "qwen3"), Parsers("qwen", "qwen3"),
           f"{_RECIPES} Qwen3-32B; {_DETECTION}"),
    Family("Qwen3-VL Thinking", _QWEN3_VL, r"Thinking",
           Parsers("hermes", "qwen3"), Parsers("qwen", "qwen3-thinking"),
           f"{_RECIPES} Qwen3-32B; {_SEPARATE}"),
    Family("Qwen3-VL", _QWEN3_VL, r"Instruct",
           Parsers("hermes"), Parsers("qwen"), f"{_RECIPES} Qwen3-32B; {_DETECTION}"),
    Family("Qwen3.5", ("qwen3_5", "qwen3_5_moe"), r"Qwen3\.5-(?!.*Base)",
           Parsers("qwen3_coder", "qwen3"), Parsers("qwen3_coder", "qwen3"),
           f"{_RECIPES} Qwen3.5-35B-A3B; {_DETECTION}"),
    Family("MiniMax M2", ("minimax_m2",), "",
           Parsers("minimax_m2", "minimax_m2"), Parsers("minimax-m2", "minimax"),
           f"{_RECIPES} MiniMax-M2.7; {_DETECTION}"),
    Family("MiniMax M3", ("minimax_m3",), "",
           Parsers("minimax_m3", "minimax_m3"), Parsers("minimax-m3", "minimax-m3"),
           f"{_OWN}; {_DETECTION}"),
    Family("Llama 3", ("llama",), r"Llama-3\.[123]-.*Instruct",
           Parsers("llama3_json", "", "examples/tool_chat_template_llama3.1_json.jinja"),
           Parsers("llama3"), f"{_MANUAL}; {_SEPARATE}"),
    Family("Llama 4", ("llama4",), r"Instruct",
           Parsers("llama4_pythonic", "", "examples/tool_chat_template_llama4_pythonic.jinja"),
           Parsers("pythonic", "",
                   "examples/chat_template/tool_chat_template_llama4_pythonic.jinja"),
           f"{_MANUAL}; {_SEPARATE}"),
    Family("Mistral", ("mistral", "mixtral"), r"7B-Instruct-v0\.3|8x22B-Instruct",
           Parsers("mistral"), Parsers("mistral"), f"{_MANUAL}; {_SEPARATE}"),
    Family("Gemma 4", ("gemma4",), r"-it\b",
           Parsers("gemma4", "gemma4"), Parsers("gemma4", "gemma4"),
           f"vLLM docs/features/reasoning_outputs.md; {_DETECTION}"),
    Family("MiMo", ("mimo_v2_flash",), "",
           Parsers("mimo", "mimo"), Parsers("mimo", "mimo"), f"{_OWN}; {_DETECTION}"),
    Family("Step 3.7", ("step3p7",), "",
           Parsers("step3p5", "step3p5"), Parsers("step3p5", "step3p5"),
           f"{_RECIPES} Step-3.7-Flash; {_DETECTION}"),
)
# fmt: on
"""In order: the first that fits counts."""

REMOTE_CODE = ("kimi_k2", "kimi_k25")
"""Model types whose tokenizer is code in the checkpoint (`auto_map` in `tokenizer_config.json`;
vllm-project/recipes start them with `--trust-remote-code`)."""


def family_of(architecture: Architecture, checkpoint: str) -> Family | None:
    """The family that a checkpoint belongs to, by its `model_type` and name."""
    name = f"{checkpoint} {architecture.name}"
    for family in FAMILIES:
        if architecture.model_type in family.model_types and re.search(
            family.named, name, re.IGNORECASE
        ):
            return family
    return None
