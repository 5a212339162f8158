"""The order of the rooms as docs/architecture.md states it, and what breaks it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from .tree import Import, imports, parse

OUTSIDE = frozenset({
    "asyncio", "concurrent", "ctypes", "curses", "fcntl", "ftplib", "getpass", "http",
    "httptools", "imaplib", "mmap", "multiprocessing", "os", "platform", "poplib", "pty", "pwd",
    "queue", "random", "resource", "sched", "secrets", "select", "selectors", "shutil", "signal",
    "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "syslog", "tempfile",
    "termios", "threading", "time", "urllib", "uuid", "uvloop", "webbrowser", "xmlrpc",
})  # fmt: skip
"""Modules with a clock, a network, an environment, processes, threads or chance in them."""

FILES = frozenset({"fileinput", "glob", "gzip", "io", "pathlib", "zoneinfo"})
"""Modules that reach files. A room that names its files may use them, a `no` room may not."""

HARMLESS = frozenset({"urllib.parse", "http.HTTPStatus"})
"""Parts of the modules above that only turn values into values."""

OUTSIDE_CALLS = re.compile(
    r"\b(?:datetime|date)\.(?:now|utcnow|today)\b|\b(?:np|numpy)\.random\b|\bsys\.(?:stdin|argv)\b"
)
"""Clock, chance and environment behind names of modules that are otherwise harmless."""

KINDS = ("no", "files", "yes")


@dataclass(frozen=True)
class Room:
    """One row of the table: `touches` is `no`, `files` or `yes`, the first word of its column."""

    name: str
    owns: str
    touches: str


def rooms_of(page: str) -> list[Room]:
    """The rows of the table whose head is room, owns, touches the outside."""
    rooms = []
    inside = False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells == ["room", "owns", "touches the outside"]:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            name, owns, touches = cells
            kind = re.split(r"\W", touches, maxsplit=1)[0]
            if kind not in KINDS:
                raise ValueError(f"room {name}: `{touches}` must begin with one of {KINDS}")
            rooms.append(Room(name.strip("`"), owns, kind))
    return rooms


def problems(source: Path, rooms: list[Room]) -> list[str]:
    """All that breaks the order under `source`, the folder of the package `neocloud`."""
    order = {room.name: place for place, room in enumerate(rooms)}
    touches = {room.name: room.touches for room in rooms}
    found = [
        f"{folder.name}/ is not in the table of docs/architecture.md"
        for folder in sorted(source.iterdir())
        if folder.is_dir() and any(folder.glob("*.py")) and folder.name not in order
    ]
    for room in order:
        for path in sorted((source / room).rglob("*.py")):
            tree = parse(path)
            where = path.relative_to(source).as_posix()
            for item in imports(tree):
                found += [f"{where}:{item.line}: {text}" for text in _import(item, room, order)]
                if outside(item, touches[room]):
                    found.append(
                        f"{where}:{item.line}: {room} must not touch the outside, "
                        f"and {item.module} does; take what it gives as an argument"
                    )
            found += [f"{where}:{text}" for text in _private(tree, room)]
            if touches[room] != "yes":
                found += [f"{where}:{text}" for text in _calls(tree, touches[room])]
    return found


def _room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "neocloud" and len(parts) > 1 else None


def _import(item: Import, room: str, order: dict[str, int]) -> list[str]:
    if item.module.startswith("."):
        return ["imports are written in full, from `neocloud.` on"]
    targets = [_room_of(item.module)]
    if item.module == "neocloud":
        targets = [name for name in item.names if name in order]
    found = []
    for target in targets:
        if target is None or target == room:
            continue
        if target not in order:
            found.append(f"{target} is no room")
        elif order[target] > order[room]:
            found.append(f"{room} imports {target}, which stands below it")
        private = [n for n in (*item.module.split("."), *item.names) if _is_private(n)]
        if private:
            found.append(f"{room} reaches into {target}: {', '.join(private)}")
    return found


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def outside(item: Import, touches: str) -> bool:
    """True if a room of this kind must not import this."""
    if touches == "yes":
        return False
    whole = {f"{item.module}.{name}" for name in item.names} or {item.module}
    if item.module in HARMLESS or whole <= HARMLESS:
        return False
    top = item.module.split(".")[0]
    return top in OUTSIDE or (touches == "no" and top in FILES)


def _private(tree: ast.Module, room: str) -> list[str]:
    """Underscore names taken by attribute from what another room gave."""
    foreign: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                owner = _room_of(node.module)
                if node.module == "neocloud":
                    owner = alias.name
                if owner is not None and owner != room:
                    foreign[alias.asname or alias.name] = owner
    return [
        f"{node.lineno}: {room} reaches into {foreign[node.value.id]}: {node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in foreign
        and _is_private(node.attr)
    ]


def _calls(tree: ast.Module, touches: str) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and OUTSIDE_CALLS.fullmatch(ast.unparse(node)):
            found.append(f"{node.lineno}: {ast.unparse(node)} must come in as an argument")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            banned = {"input", "print"} | ({"open"} if touches == "no" else set())
            if node.func.id in banned:
                found.append(f"{node.lineno}: {node.func.id}() touches the outside")
    return found
