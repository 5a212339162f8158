"""Typed access to a model's configuration: an odd field is an error that names file and field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neocloud.catalog.records import CatalogError


class ConfigFields:
    """Fields of one `config.json`."""

    def __init__(self, config: Mapping[str, Any], where: str) -> None:
        self._config = config
        self._where = where

    def has(self, name: str) -> bool:
        """True where the field is there and not null."""
        return self._config.get(name) is not None

    def count(self, name: str, default: int | None = None, most: int = 10**9) -> int:
        """A whole number from 1 to `most`; `default` where the field is missing or null."""
        value = self._config.get(name)
        if value is None and default is not None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
            raise self.refuse(
                f"{name} is {_short(value)}; expected a whole number from 1 to {most:,}"
            )
        return value

    def layers(self) -> int:
        """Number of layers; each becomes an object, so an absurd number is refused."""
        return self.count("num_hidden_layers", most=10_000)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false; `default` where the field is missing or null."""
        value = self._config.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.refuse(f"{name} is {_short(value)}; expected true or false")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty where missing."""
        value = self._config.get(name) or ()
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise self.refuse(f"{name} is not a list of names")
        return tuple(value)

    def numbers(self, name: str) -> frozenset[int]:
        """A list of whole numbers; empty where missing."""
        value = self._config.get(name) or ()
        if not isinstance(value, list | tuple) or not all(isinstance(v, int) for v in value):
            raise self.refuse(f"{name} is not a list of whole numbers")
        return frozenset(value)

    def refuse(self, message: str) -> CatalogError:
        """Return an error that names the file."""
        return CatalogError(f"{self._where}: {message}")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
