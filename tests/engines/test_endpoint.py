"""URLs of engines."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.engines import APIS, KINDS, Endpoint, TokenPrice, endpoint_of_url
from neocloud.units import MoneyError
from neocloud.wire import Address


@pytest.mark.parametrize(
    ("url", "address", "prefix"),
    [
        ("http://127.0.0.1:8000", Address("127.0.0.1", 8000), b""),
        ("http://127.0.0.1:8000/", Address("127.0.0.1", 8000), b""),
        ("http://127.0.0.1:8000/v1", Address("127.0.0.1", 8000), b""),
        ("http://127.0.0.1:8000/v1/", Address("127.0.0.1", 8000), b""),
        ("https://api.example.com/openai/v1", Address("api.example.com", 443, True), b"/openai"),
        ("https://api.example.com/openai", Address("api.example.com", 443, True), b"/openai"),
        ("http://[::1]:9/a/v1beta", Address("::1", 9), b"/a/v1beta"),
    ],
)
def test_base_urls_with_and_without_v1(url, address, prefix):
    endpoint = endpoint_of_url(url, replica="s/p/m/0", model="m")
    assert (endpoint.address, endpoint.prefix) == (address, prefix)
    assert (endpoint.kind, endpoint.emulated, endpoint.authorization) == ("remote", False, b"")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://host/",
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://user:secret@host/",
        "http://host/v1?key=1",
        "http://host/v1#top",
        "http://host/a b",
        "http://host/ü",
        "http://host/a\r\nx: y",
        "http://[::1/",
    ],
)
def test_what_is_no_base_url_is_refused_in_words(url):
    with pytest.raises(ValueError, match=r"^engine URL"):
        endpoint_of_url(url, replica="s/p/m/0", model="m")


@given(st.text(max_size=40))
def test_any_text_is_an_endpoint_or_a_value_error(text):
    for url in (text, f"http://{text}", f"https://host/{text}"):
        try:
            endpoint = endpoint_of_url(url, replica="r", model="m")
        except ValueError:
            continue
        assert not endpoint.prefix.endswith((b"/", b"/v1"))
        assert not endpoint.prefix or endpoint.prefix.startswith(b"/")


def test_the_key_is_sent_and_never_shown():
    endpoint = endpoint_of_url("http://host", replica="r", model="m", key="sk-very-secret")
    assert endpoint.authorization == b"Bearer sk-very-secret"
    assert "secret" not in repr(endpoint)
    assert "secret" not in str(endpoint)
    assert "secret" not in f"{[endpoint]}"
    with pytest.raises(ValueError, match="key") as raised:
        endpoint_of_url("http://host", replica="r", model="m", key="very\r\nx-secret: 1")
    assert "secret" not in str(raised.value)


def test_emulated_is_what_its_kind_says():
    endpoint = Endpoint(
        replica="r", address=Address("h", 1), prefix=b"", kind="emulated", model="m"
    )
    assert endpoint.emulated


def test_each_kind_speaks_what_it_serves_unless_told():
    def of(kind, **told):
        return endpoint_of_url("http://host", replica="r", model="m", kind=kind, **told)

    assert of("vllm").speaks == {"chat", "completions", "embeddings", "responses", "messages"}
    assert of("llamacpp").speaks == APIS
    # SGLang's /v1/messages drops the salt: tenants would share its cache.
    assert of("sglang").speaks == APIS - {"messages"}
    assert of("remote").speaks == {"chat", "completions", "embeddings"}
    assert of("remote", speaks=frozenset({"chat"})).speaks == {"chat"}
    salted = {kind for kind in KINDS if of(kind).salt_field}
    assert salted == {"vllm", "sglang", "emulated"}
    assert {kind for kind in KINDS if of(kind).continuous} == {"vllm", "sglang", "emulated"}
    with pytest.raises(ValueError, match="engine kind 'ollama'"):
        of("ollama")
    with pytest.raises(ValueError, match="engine API speech"):
        of("vllm", speaks=frozenset({"chat", "speech"}))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_price_is_exact_in_pico_units(input_tokens, cached_tokens, output_tokens, micros):
    cached_tokens = min(cached_tokens, input_tokens)
    price = TokenPrice.per_mtok(
        "USD", Decimal("2.50"), Decimal(micros) / 10**6, cached=Decimal("0.25")
    )
    exact = (
        (input_tokens - cached_tokens) * Decimal("2.50")
        + cached_tokens * Decimal("0.25")
        + output_tokens * (Decimal(micros) / 10**6)
    )
    # a price a million tokens, in units of 1e-12
    assert price.of(input_tokens, cached_tokens, output_tokens) == exact * 10**6


def test_cached_tokens_cost_as_much_as_others_unless_told():
    price = TokenPrice.per_mtok("EUR", Decimal(1), Decimal(2))
    assert price.of(10, 4, 1) == price.of(10, 0, 1) == 12 * 10**6
    with pytest.raises(MoneyError):
        TokenPrice.per_mtok("EUR", Decimal("0.0000001"), Decimal(2))
