"""A model's file: a path, or its name on the Hugging Face hub."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from neocloud.engines.errors import ModelFileError

HUB = "hub:"


def model_file(name: str) -> Path:
    """The file of a model, fetched if it is named as on the hub and not here yet.

    Args:
        name: a path, or `hub:OWNER/REPOSITORY/FILE.gguf`. For the latter `huggingface_hub` must be
            installed; it keeps what it fetched in its own cache.

    Raises:
        ModelFileError: it is not there and cannot be fetched.
    """
    if not name.startswith(HUB):
        path = Path(name)
        if not path.is_file():
            raise ModelFileError(
                f"{name} is no file. A model of the hub is named {HUB}OWNER/REPOSITORY/FILE.gguf"
            )
        return path
    owner, _, rest = name.removeprefix(HUB).partition("/")
    repository, _, file = rest.partition("/")
    if not (owner and repository and file.endswith(".gguf")):
        raise ModelFileError(f"{name}: write {HUB}OWNER/REPOSITORY/FILE.gguf")
    if find_spec("huggingface_hub") is None:
        raise ModelFileError(
            f"{name}: fetching it needs huggingface_hub: pip install huggingface_hub. Or fetch the "
            "file yourself and give its path"
        )
    return _fetched(f"{owner}/{repository}", file)


def _fetched(repository: str, file: str) -> Path:
    try:
        return Path(import_module("huggingface_hub").hf_hub_download(repository, file))
    except Exception as error:  # noqa: BLE001  (its own errors and those of three HTTP libraries)
        raise ModelFileError(f"{repository}/{file} cannot be fetched: {error}") from None
