"""The project's files, and what the house tests read from them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "neocloud"
DOCS = ROOT / "docs"


@dataclass(frozen=True)
class Import:
    """One imported module, absolute, with the names taken from it.

    Attributes:
        module: `neocloud.units.money`, `numpy`.
        names: what a `from` import takes; empty for a plain import.
        line: where it stands.
        at_start: True if it runs when the module is imported.
        guarded: True if a `try` that catches ImportError surrounds it.
    """

    module: str
    names: tuple[str, ...]
    line: int
    at_start: bool
    guarded: bool


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def python_files(*folders: str) -> list[Path]:
    """All Python files below folders of the project, sorted."""
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def imports(tree: ast.Module) -> list[Import]:
    """Every import of a module, also those inside functions; relative ones do not occur here."""
    return list(_walk(tree, at_start=True, guarded=False))


def _walk(node: ast.AST, *, at_start: bool, guarded: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, (), child.lineno, at_start, guarded)
        elif isinstance(child, ast.ImportFrom):
            module = "." * child.level + (child.module or "")
            names = tuple(alias.name for alias in child.names)
            yield Import(module, names, child.lineno, at_start, guarded)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _walk(child, at_start=False, guarded=guarded)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for part in child.body:
                yield from _walk(part, at_start=False, guarded=True)
        elif isinstance(child, ast.Try):
            caught = guarded or any(_catches_import_error(h) for h in child.handlers)
            for part in child.body:
                yield from _walk(ast.Module([part], []), at_start=at_start, guarded=caught)
            rest = [*child.handlers, *child.orelse, *child.finalbody]
            for part in rest:
                yield from _walk(ast.Module([part], []), at_start=at_start, guarded=guarded)
        else:
            yield from _walk(child, at_start=at_start, guarded=guarded)


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(
        isinstance(n, ast.Name) and n.id in {"ImportError", "ModuleNotFoundError"}
        for n in ast.walk(handler.type)
    )


def show(path: Path) -> str:
    """A path as messages name it, from the project's root."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()


def load_tool(name: str) -> ModuleType:
    """A script of tools/ as a module."""
    spec = spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
