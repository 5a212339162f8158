"""Which configurations can exist at all."""

from __future__ import annotations

from neocloud.catalog import Accelerator, Architecture
from neocloud.perf.formats import BYTES_PER_KV, BYTES_PER_WEIGHT
from neocloud.perf.records import Configuration


class ConfigurationError(ValueError):
    """A configuration that cannot exist on this accelerator."""


def check(
    architecture: Architecture, accelerator: Accelerator, configuration: Configuration
) -> None:
    """Raise `ConfigurationError` where the configuration makes no sense."""
    c = configuration
    for name in ("tp", "attention_dp", "pp", "ep", "max_batch", "batch_tokens"):
        if getattr(c, name) < 1:
            raise ConfigurationError(f"{name} {getattr(c, name)} is not at least 1")
    if architecture.query_heads % c.tp:
        raise ConfigurationError(
            f"tp {c.tp} does not divide the {architecture.query_heads} attention heads of "
            f"{architecture.name}"
        )
    if c.pp > architecture.layer_count:
        raise ConfigurationError(
            f"pp {c.pp} is more than the {architecture.layer_count} layers of {architecture.name}"
        )
    span = max(accelerator.scale_up_domain, accelerator.node_accelerators)
    if c.tp > span and c.tp % span:
        raise ConfigurationError(
            f"tp {c.tp} is neither within the {span} {accelerator.key} that share a fabric or node "
            "nor whole nodes"
        )
    if c.drafts and not architecture.mtp_layers:
        raise ConfigurationError(f"{architecture.name} has no layers that draft tokens (MTP)")
    if c.precision not in BYTES_PER_WEIGHT:
        known = ", ".join(BYTES_PER_WEIGHT)
        raise ConfigurationError(f"precision {c.precision} is not one of {known}")
    if c.kv_precision not in BYTES_PER_KV:
        known = ", ".join(BYTES_PER_KV)
        raise ConfigurationError(f"KV precision {c.kv_precision} is not one of {known}")
