"""The rooms stand in the order of docs/architecture.md, and import only upwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from .rooms import Room, problems, rooms_of
from .tree import DOCS, SRC

TOY = [Room("units", "numbers", "no"), Room("store", "disk", "yes"), Room("top", "all", "files")]


def test_the_house_is_in_order() -> None:
    rooms = rooms_of((DOCS / "architecture.md").read_text())
    found = problems(SRC, rooms)
    assert not found, "\n".join(found)


def test_each_room_of_the_table_stands_once() -> None:
    names = [room.name for room in rooms_of((DOCS / "architecture.md").read_text())]
    assert len(names) == len(set(names))
    for name in names:
        assert (SRC / name / "__init__.py").is_file(), f"the table's room {name} is not there"


def build(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        path = folder / name.split("_")[0] / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("modules", "told"),
    [
        ({"units_a": "from neocloud.store import x\n"}, "units imports store, which stands below"),
        ({"units_a": "import neocloud.top.store\n"}, "units imports top, which stands below"),
        ({"units_a": "from neocloud import top\n"}, "units imports top, which stands below"),
        ({"units_a": "def f():\n    from neocloud.top import x\n"}, "units_a.py:2: units imports"),
        ({"units_a": "import time\n"}, "units must not touch the outside, and time does"),
        ({"units_a": "import os.path\n"}, "and os.path does"),
        ({"units_a": "from pathlib import Path\n"}, "and pathlib does"),
        ({"units_a": "open('x')\n"}, "open() touches the outside"),
        ({"units_a": "from datetime import datetime\ndatetime.now()\n"}, "must come in as an arg"),
        ({"top_a": "import numpy as np\nnp.random.rand()\n"}, "np.random must come in"),
        ({"top_a": "import socket\n"}, "and socket does"),
        ({"top_a": "from neocloud.units import _x\n"}, "top reaches into units: _x"),
        ({"top_a": "from neocloud.units._a import x\n"}, "top reaches into units: _a"),
        ({"top_a": "from neocloud.units import a\na._x()\n"}, "top reaches into units: a._x"),
        ({"top_a": "from neocloud import units\nunits._x()\n"}, "reaches into units: units._x"),
        ({"top_a": "from neocloud.attic import x\n"}, "attic is no room"),
        ({"top_a": "from . import x\n"}, "imports are written in full"),
        ({"attic_a": "x = 1\n"}, "attic/ is not in the table"),
    ],
)
def test_what_breaks_the_order_is_told(tmp_path: Path, modules: dict[str, str], told: str) -> None:
    found = problems(build(tmp_path, **modules), TOY)
    assert len(found) == 1, found
    assert told in found[0]


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    build(
        tmp_path,
        units_a="from datetime import UTC\nfrom http import HTTPStatus\nx = 1\n",
        store_a="import time, socket\nfrom neocloud.units import x\nopen('x')\n",
        top_a="from pathlib import Path\nfrom urllib.parse import quote\n"
        "from neocloud.store import x\nimport neocloud\nx.__name__\n",
    )
    assert problems(tmp_path, TOY) == []


def test_a_row_that_says_neither_is_refused() -> None:
    page = "| room | owns | touches the outside |\n| --- | --- | --- |\n| `units` | a | maybe |\n"
    with pytest.raises(ValueError, match="must begin with one of"):
        rooms_of(page)
