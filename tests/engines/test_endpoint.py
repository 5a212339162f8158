"""URLs of engines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neocloud.engines import Endpoint, endpoint_of_url
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
