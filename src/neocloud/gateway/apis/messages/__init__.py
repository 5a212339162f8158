"""Anthropic's Messages API, passed through or translated to chat completions."""

from neocloud.gateway.apis.messages.endpoint import COUNT_TOKENS, Messages, no_token_count

__all__ = ["COUNT_TOKENS", "Messages", "no_token_count"]
