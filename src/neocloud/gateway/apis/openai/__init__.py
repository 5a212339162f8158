"""OpenAI's chat completions, text completions and embeddings, and what other APIs share of them."""

from neocloud.gateway.apis.openai.chat import Chat
from neocloud.gateway.apis.openai.completions import Completions
from neocloud.gateway.apis.openai.embeddings import Embeddings

__all__ = ["Chat", "Completions", "Embeddings"]
