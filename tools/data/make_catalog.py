"""Make every file of `src/neocloud/catalog/data` again.

    python tools/data/make_catalog.py --from DIR

`DIR` holds the collected public tables (`accelerators`, `measured`, `network`, `power`, `prices`,
`traces`, `model_configs`), each with the README that names its sources; `sources.csv` beside this
script repeats them for the catalog's readers, `accelerator_*.csv` add what was read since,
`metro_zones.csv` (see `metro_zones.py`) adds time zones, `provider_regions.csv` the places of
providers. README.md and `configs/NOTICE` are written
by hand. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import accelerators
import configs
import network
import power
import power_shapes
import prices
import traces

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="shared", type=Path, required=True)
    parser.add_argument("--to", type=Path, default=ROOT / "src" / "neocloud" / "catalog" / "data")
    arguments = parser.parse_args()
    here = Path(__file__).parent
    accelerators.make(arguments.shared, arguments.to, here)
    network.make(arguments.shared, arguments.to, here / "metro_zones.csv")
    power.make(arguments.shared, arguments.to)
    power_shapes.make(arguments.shared, arguments.to, here / "metro_zones.csv")
    prices.make(arguments.shared, arguments.to)
    traces.make(arguments.shared, arguments.to)
    configs.make(arguments.shared, arguments.to)
    for name in ("provider_regions.csv", "sources.csv"):
        shutil.copyfile(here / name, arguments.to / name)
    size = sum(p.stat().st_size for p in arguments.to.rglob("*") if p.is_file())
    print(f"{arguments.to}: {size:,} bytes")


if __name__ == "__main__":
    main()
