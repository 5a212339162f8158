"""StepFun's Step 3.7 Flash."""

from __future__ import annotations

from dataclasses import replace

from neocloud.catalog.config_fields import ConfigFields
from neocloud.catalog.readers.parts import (
    Body,
    FeedForward,
    at_most,
    gated,
    gqa,
    gqa_body,
    head_dim,
    layer,
    pick,
)


def step3p7(fields: ConfigFields) -> Body:
    """Text part of Step 3.7 Flash: one full layer to three sliding ones, first layers dense.

    A draft layer slides, is dense, and has a head of its own beside the projection that joins it.
    """
    hidden, experts = fields.count("hidden_size"), fields.count("num_experts")
    kinds = fields.names("layer_types")
    pick(fields, "layer_types", kinds, ("full_attention", "sliding_attention"))
    full = gqa(fields, norms=2 * head_dim(fields))
    sliding = full.sliding(fields.count("sliding_window"))
    shared = fields.amount("n_shared_experts", default=0)
    bias = fields.flag("use_moe_router_bias", default=False)
    routed = FeedForward(
        dense=(hidden + bias) * experts
        + (gated(hidden, fields.count("share_expert_dim")) * shared if shared else 0),
        experts=experts,
        experts_per_token=at_most(fields, "num_experts_per_tok", experts),
        expert=gated(hidden, fields.count("moe_intermediate_size")),
    )
    dense = FeedForward(gated(hidden, fields.count("intermediate_size")))
    first = fields.amount("first_k_dense_replace", default=0)
    drafts = fields.amount("num_nextn_predict_layers", default=0)
    draft = (
        layer(sliding, dense, 2 * hidden).parameters
        + 2 * hidden * hidden
        + 3 * hidden
        + fields.count("vocab_size") * hidden
    )
    body = gqa_body(
        fields,
        (
            layer(
                full if kind == "full_attention" else sliding,
                dense if number < first else routed,
                2 * hidden,
            )
            for number, kind in enumerate(kinds)
        ),
    )
    return replace(body, mtp_layers=drafts, mtp_parameters=drafts * draft)
