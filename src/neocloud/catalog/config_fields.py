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
        return self._whole(name, default, 1, most)

    def amount(self, name: str, default: int | None = None, most: int = 10**9) -> int:
        """A whole number from 0 to `most`; `default` where the field is missing or null."""
        return self._whole(name, default, 0, most)

    def _whole(self, name: str, default: int | None, least: int, most: int) -> int:
        value = self._config.get(name)
        if value is None and default is not None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.refuse(
                f"{name} is {_short(value)}; expected a whole number from {least} to {most:,}"
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

    def switches(self, name: str) -> tuple[bool, ...]:
        """A list of 0 or 1 (or false or true), one a layer; empty where missing."""
        value = self._config.get(name) or ()
        if not isinstance(value, list | tuple) or not all(v in (0, 1) for v in map(_plain, value)):
            raise self.refuse(f"{name} is not a list of 0 and 1")
        if value and len(value) != self.layers():
            raise self.refuse(f"{name} has {len(value)} entries for {self.layers()} layers")
        return tuple(bool(v) for v in value)

    def series(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers from 0 in their order; empty where missing."""
        value = self._config.get(name) or ()
        if not isinstance(value, list | tuple) or not all(
            isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= 10**9 for v in value
        ):
            raise self.refuse(f"{name} is not a list of whole numbers")
        return tuple(value)

    def part(self, name: str) -> ConfigFields:
        """The fields of an object inside, which must be there."""
        value = self._config.get(name)
        if not isinstance(value, Mapping):
            raise self.refuse(f"{name} is {_short(value)}; expected an object")
        return ConfigFields(value, f"{self._where}: {name}")

    def refuse(self, message: str) -> CatalogError:
        """Return an error that names the file."""
        return CatalogError(f"{self._where}: {message}")


def _plain(value: object) -> object:
    """The value where it is a number or a truth value; None for what cannot be compared."""
    return value if isinstance(value, int) else None


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
