"""Somebody else's server: its key, its price, what it speaks."""

from __future__ import annotations

from decimal import Decimal

import pytest

from neocloud.engines import KINDS, TokenPrice
from neocloud.engines.remote import remote_endpoint

URL = "https://api.example.com/openai/v1"


def test_key_from_a_variable_path_price_and_manners():
    price = TokenPrice.per_mtok("USD", Decimal("0.15"), Decimal("0.60"))
    endpoint = remote_endpoint(
        URL, replica="r", model="m", key_env="PROVIDER_KEY", price=price,
        environment={"PROVIDER_KEY": "sk-very-secret"},
    )  # fmt: skip
    assert (endpoint.kind, endpoint.prefix) == ("remote", b"/openai")
    assert endpoint.authorization == b"Bearer sk-very-secret"
    assert "secret" not in repr(endpoint)
    assert endpoint.price.of(1_000_000, 0, 1_000_000) == 750_000_000_000
    assert endpoint.speaks == {"chat", "completions", "embeddings"}
    assert not endpoint.continuous


def test_a_router_that_passes_vllms_fields_on_has_vllms_manners():
    endpoint = remote_endpoint(URL, replica="r", model="m", manners=KINDS["vllm"])
    assert endpoint.kind == "remote"
    assert (endpoint.continuous, endpoint.salt_field) == (True, "cache_salt")
    assert "messages" in endpoint.speaks
    assert endpoint.authorization == b""


@pytest.mark.parametrize("environment", [{}, {"PROVIDER_KEY": ""}])
def test_a_variable_that_is_not_set_is_named(environment):
    with pytest.raises(ValueError, match="PROVIDER_KEY is not set"):
        remote_endpoint(
            URL, replica="r", model="m", key_env="PROVIDER_KEY", environment=environment
        )


def test_no_message_holds_the_key():
    with pytest.raises(ValueError, match="one line of ASCII") as raised:
        remote_endpoint(
            URL, replica="r", model="m", key_env="K", environment={"K": "sk-secret\nx: y"}
        )
    assert "secret" not in str(raised.value)
