"""A configuration in one line."""

from __future__ import annotations

from neocloud.perf import Configuration


def configuration_text(c: Configuration, prefill: Configuration | None = None) -> str:
    """Such as `tp 8, ep 8, fp8, 2 drafts, chunks of 8192, batch 256`."""
    text = f"{_layout(c)}, {c.precision}"
    if c.kv_precision != "bf16":
        text += f", {c.kv_precision} cache"
    if c.drafts:
        text += f", {c.drafts} draft{'s' if c.drafts > 1 else ''}"
    if prefill is None:
        return f"{text}, chunks of {c.batch_tokens}, batch {c.max_batch}"
    return f"{text}, batch {c.max_batch}; prompts on {_layout(prefill)}"


def _layout(c: Configuration) -> str:
    parts = [f"tp {c.tp}"]
    parts += [f"{name} {n}" for name, n in (("dp", c.attention_dp), ("pp", c.pp)) if n > 1]
    if c.ep > 1:
        parts.append(f"ep {c.ep}")
    return " ".join(parts)
