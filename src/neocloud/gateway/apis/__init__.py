"""The APIs that clients speak, each in a module of its own behind `Api`."""

from neocloud.gateway.apis.api import Api
from neocloud.gateway.apis.chat import Chat

APIS: tuple[Api, ...] = (Chat(),)
"""All that the gateway serves."""

__all__ = ["APIS", "Api"]
