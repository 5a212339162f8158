"""Model configurations: the published `config.json` files, and two stated by us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STATED: dict[str, dict[str, Any]] = {
    "meta-llama__Llama-2-70b-chat-hf": {
        "model_type": "llama",
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
    },
    "mistralai__Mistral-7B-v0.1": {
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
        "max_position_embeddings": 32768,
        "sliding_window": 4096,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    },
}
"""Models that measured rows use and whose files are not among those collected: the published
values that count, as a configuration of our own."""


def make(shared: Path, data: Path) -> None:
    """Write `configs/org__model.json`, without white space."""
    target = data / "configs"
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted((shared / "model_configs").glob("*.json")):
        _write(target / path.name, json.loads(path.read_text(encoding="utf-8")))
    for name, config in STATED.items():
        _write(target / f"{name}.json", config)


def _write(path: Path, config: dict[str, Any]) -> None:
    text = json.dumps(config, separators=(",", ":"), ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
