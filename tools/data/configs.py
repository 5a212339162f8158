"""Model configurations: the published `config.json` files whose kind the catalog can read."""

from __future__ import annotations

import json
from pathlib import Path

KINDS = {"llama", "qwen3", "mixtral", "qwen3_moe", "gpt_oss"}


def make(shared: Path, data: Path) -> None:
    """Write `configs/org__model.json`, without white space."""
    target = data / "configs"
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted((shared / "model_configs").glob("*.json")):
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.get("model_type") in KINDS:
            text = json.dumps(config, separators=(",", ":"), ensure_ascii=False)
            (target / path.name).write_text(text + "\n", encoding="utf-8")
