"""From a file to a checked `Cloud`, or to everything that is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as MappingType
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from neocloud.catalog import Catalog
from neocloud.spec.accelerators import AcceleratorEntry, CloudCatalog
from neocloud.spec.checks import CHECKS
from neocloud.spec.nodes import MAX_BYTES, Mapping, Node, parse_nodes
from neocloud.spec.problems import Problem, SpecError
from neocloud.spec.reader import Reader
from neocloud.spec.records import Cloud
from neocloud.spec.traces import TraceFile


def load_cloud(path: Path, catalog: Catalog) -> Cloud:
    """Read a cloud file.

    Args:
        path: the file; paths inside it start from its folder.
        catalog: where its names are looked up.

    Raises:
        SpecError: with every mistake found.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        remedy = "Give the path of a cloud.yaml, or run `neocloud init`."
        raise _unreadable(name, f"cannot be read: {error.strerror}", remedy) from None
    except UnicodeDecodeError as error:
        if len(raw) <= MAX_BYTES:
            message = f"is not UTF-8 text (byte {error.start})"
            raise _unreadable(name, message, "Save it as UTF-8.") from None
        text = raw.decode("utf-8", "replace")  # too large anyway: parse_cloud says so
    return parse_cloud(text, name, catalog, path.parent)


def parse_cloud(text: str, name: str, catalog: Catalog, base: Path | None = None) -> Cloud:
    """Read a cloud from a text.

    Args:
        text: what stands in the file.
        name: of the file, for messages.
        catalog: where its names are looked up.
        base: folder that paths in the text start from; None for the current one.

    Raises:
        SpecError: with every mistake found.
    """
    root, problems = parse_nodes(text, name)
    if root is None:
        raise SpecError(tuple(problems))
    seen = _with_accelerators(root, name, catalog, base)
    reader = Reader(name, root, seen, base, CHECKS)
    cloud = reader.record(Cloud, root, "the cloud", "")
    problems += reader.problems
    if problems:
        raise SpecError(tuple(problems))
    assert isinstance(cloud, Cloud)
    return replace(
        cloud,
        file=name,
        lines=MappingProxyType(reader.lines),
        traces=MappingProxyType(reader.traces),
        notes=reader.all_notes(),
        content_hash=_content_hash(text, cloud, reader.traces),
    )


def _with_accelerators(root: Node, name: str, catalog: Catalog, base: Path | None) -> Catalog:
    """The catalog with the file's accelerators, which pools may name wherever they stand.

    What is wrong with an accelerator is told when the whole file is read. Until then another one
    stands for it, so that whoever names it makes no second mistake.
    """
    section = root.get("accelerators") if isinstance(root, Mapping) else None
    if not isinstance(section, Mapping):
        return catalog
    reader = Reader(name, root, catalog, base, CHECKS)
    added = {}
    for key, node in section.items:
        entry = reader.record(AcceleratorEntry, node, key.text, key.text, {"key": key.text})
        if isinstance(entry, AcceleratorEntry):
            added[key.text] = entry.accelerator(catalog)
        elif key.text not in catalog.accelerators:
            priced = (a for a in catalog.accelerators.values() if a.capex_usd.value is not None)
            added[key.text] = replace(next(priced), key=key.text)
    return CloudCatalog(catalog, MappingProxyType(added), {})


def _content_hash(text: str, cloud: Cloud, traces: MappingType[str, TraceFile]) -> str:
    digest = hashlib.sha256(text.encode("utf-8"))
    for model in cloud.models.values():
        if model.config.endswith(".json"):  # those of the catalog are in the catalog's own hash
            digest.update(repr(model.architecture).encode("utf-8"))
    for path in sorted(traces):
        digest.update(f"{path}\0{traces[path].content_hash}\0".encode())
    return digest.hexdigest()[:16]


def _unreadable(name: str, message: str, remedy: str) -> SpecError:
    return SpecError((Problem(name, 0, 0, "E100", message, remedy),))
