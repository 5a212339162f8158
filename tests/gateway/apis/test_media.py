"""Media in prompts: counted, and never fetched from where the operator did not say."""

from __future__ import annotations

import json

import pytest

from neocloud.gateway.apis.media import media_of
from neocloud.gateway.apis.refusals import ApiError

HOSTS = frozenset({"images.example.com"})
PICTURE = "data:image/png;base64,AAAA"


def messages(*parts: object) -> bytes:
    return json.dumps([{"role": "user", "content": list(parts)}]).encode()


def image(url: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}}


def test_text_has_none() -> None:
    text = b'[{"role": "user", "content": "see http://169.254.169.254/ and image_url"}]'
    assert media_of(text, HOSTS).parts == 0


def test_parts_and_their_bytes_are_counted() -> None:
    found = media_of(messages({"type": "text", "text": "look"}, *[image(PICTURE)] * 2), HOSTS)
    assert (found.parts, found.bytes) == (2, 2 * len(PICTURE))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/a.png",
        "http://images.example.com.evil.org/a.png",
        "http://images.example.com@10.0.0.1/a.png",
        "file:///etc/passwd",
        "ftp://images.example.com/a.png",
        "//images.example.com/a.png",
        "/etc/passwd",
        "http://[::1]/",
        "http://[",
        "gopher:data:",
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
def test_other_urls_are_refused(url: str, escaped: bool) -> None:
    for part in (
        image(url),
        {"image_url": {"url": url}},
        {"image_url": url},
        {"type": "input_image", "image_url": url},
        {"type": "video_url", "video_url": {"url": url}},
        {"type": "input_file", "file_url": url},
        {"type": "image", "source": {"type": "url", "url": url}},
        {"type": "tool_result", "content": [{"type": "image", "source": {"url": url}}]},
    ):
        prompt = messages(part)
        if escaped:
            prompt = prompt.replace(b'"type"', b'"t\\u0079pe"').replace(b"_url", b"\\u005furl")
        with pytest.raises(ApiError) as caught:
            media_of(prompt, HOSTS)
        assert caught.value.status == 400


def test_hosts_that_the_operator_lists_are_fetched_from() -> None:
    assert media_of(messages(image("https://Images.Example.com/a.png")), HOSTS).parts == 1


def test_what_a_tool_is_told_to_fetch_is_not_fetched_by_an_engine() -> None:
    call = {"type": "tool_use", "id": "1", "name": "get", "input": {"url": "http://10.0.0.1/"}}
    assert media_of(messages(call), HOSTS).parts == 0


def test_depth_is_bounded() -> None:
    deep = b'[{"type": 1, "a":' + b"[" * 5000 + b"]" * 5000 + b"}]"
    with pytest.raises(ApiError):
        media_of(deep, HOSTS)


def test_a_part_without_a_type_is_one() -> None:
    assert media_of(messages({"image_url": {"url": PICTURE}}), HOSTS).parts == 1
