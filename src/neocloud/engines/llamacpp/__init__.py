"""llama.cpp: a real model from one GGUF file, in a process of its own or by URL."""

from neocloud.engines.llamacpp.adapter import LlamaCpp, LlamaOptions
from neocloud.engines.llamacpp.hub import model_file

__all__ = ["LlamaCpp", "LlamaOptions", "model_file"]
