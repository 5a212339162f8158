"""The APIs that clients speak, each family in a package of its own behind `Api`."""

from neocloud.gateway.apis.api import Api
from neocloud.gateway.apis.messages import Messages
from neocloud.gateway.apis.openai import Chat, Completions, Embeddings
from neocloud.gateway.apis.responses import Responses

APIS: tuple[Api, ...] = (Chat(), Completions(), Embeddings(), Responses(), Messages())
"""All that the gateway serves."""

__all__ = ["APIS", "Api"]
