"""OpenAI's Responses API, passed through or translated to chat completions."""

from neocloud.gateway.apis.responses.endpoint import Responses, not_kept

__all__ = ["Responses", "not_kept"]
