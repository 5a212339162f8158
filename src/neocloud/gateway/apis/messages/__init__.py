"""Anthropic's Messages API, passed through or translated to chat completions."""

from neocloud.gateway.apis.messages.endpoint import Messages

__all__ = ["Messages"]
