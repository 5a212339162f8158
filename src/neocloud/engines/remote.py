"""Somebody else's server: a hyperscaler, another neocloud, or a site's own router.

vllm-router, llm-d, Dynamo and TensorRT-LLM are attached like this too: what stands behind them is
their business.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from neocloud.engines.endpoint import Endpoint, TokenPrice, endpoint_of_url
from neocloud.engines.kinds import KINDS, REMOTE, Manners


def remote_endpoint(
    url: str,
    *,
    replica: str,
    model: str,
    key_env: str = "",
    price: TokenPrice | None = None,
    manners: Manners = KINDS[REMOTE],
    environment: Mapping[str, str] = os.environ,
) -> Endpoint:
    """Endpoint of any OpenAI-compatible server.

    Args:
        url: its base URL, with or without `/v1`; a path before that is kept.
        replica: id under which it is known here.
        model: name that it knows the model by.
        key_env: environment variable that holds the key it asks for; empty for none. The key
            itself stands in no file, command line or log.
        price: what its owner asks for tokens.
        manners: what it speaks, where that is more than chat, completions and embeddings:
            `KINDS["vllm"]` for a router that passes vLLM's fields on.
        environment: where the variable is looked up.

    Raises:
        ValueError: the URL cannot be used, or the variable is not set; the message says which.
    """
    key = environment.get(key_env, "") if key_env else ""
    if key_env and not key:
        raise ValueError(f"engine key: the environment variable {key_env} is not set")
    endpoint = endpoint_of_url(url, replica=replica, model=model, key=key, price=price)
    return msgspec.structs.replace(
        endpoint,
        speaks=manners.speaks,
        continuous=manners.continuous,
        salt_field=manners.salt_field,
    )
