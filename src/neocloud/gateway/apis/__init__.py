"""The APIs that clients speak, each in a module of its own behind `Api`."""

from neocloud.gateway.apis.api import Api
from neocloud.gateway.apis.chat import Chat
from neocloud.gateway.apis.completions import Completions
from neocloud.gateway.apis.embeddings import Embeddings
from neocloud.gateway.apis.messages import Messages
from neocloud.gateway.apis.responses import Responses

APIS: tuple[Api, ...] = (Chat(), Completions(), Embeddings(), Responses(), Messages())
"""All that the gateway serves."""

__all__ = ["APIS", "Api"]
