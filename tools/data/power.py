"""Power prices and carbon of the metros where data centers stand, each in a file of its own.

The carbon figures are under the Open Database Licence, hence the folder `odbl` with its notice.
"""

from __future__ import annotations

from pathlib import Path

import writing
from writing import FigureRow

NOTICE = """\
Contains information from the Electricity Maps database (https://www.electricitymaps.com), which
is made available here under the Open Database License (ODbL) 1.0:
https://opendatacommons.org/licenses/odbl/1-0/

What it is: carbon intensity of electricity consumed (life cycle, grams of CO2-equivalent per kWh)
by zone. carbon.csv: the yearly figure of 2025, as published in the npm package @tgwf/co2 0.19.0.
carbon_shapes.csv: from the hourly figures of 2022, as published in github.com/umassos/
decarbonization-potential, commit 3493a63.
What was changed: only the zones of the catalog's data-center metros were kept; which zone a metro
belongs to is our assignment. The hourly figures were averaged by season and hour of the day (UTC)
and divided by their mean over the year.

This file and the tables beside it form a database under the ODbL: who redistributes it, changed or
not, keeps it under that licence and attributes Electricity Maps. Figures computed with it may be
shown freely. The rest of this package is not part of that database.
"""


def _price(row: dict[str, str]) -> FigureRow:
    metro, basis = row["metro"], row["price_basis"]
    if not row["price_per_mwh"]:
        return FigureRow(metro, "price_per_mwh", None, "", "eia-retail", "", "unknown",
                         "no public price found for this market")  # fmt: skip
    value, unit = float(row["price_per_mwh"]), f"{row['price_currency']}/MWh"
    if basis.startswith("EIA"):
        state = row["us_state"]
        note = f"mean revenue from industrial customers in {state}; an upper guide for 100 MW"
        return FigureRow(metro, "price_per_mwh", value, unit, "eia-retail", "2023",
                         "published", note)  # fmt: skip
    if not basis.startswith("Ember"):
        raise SystemExit(f"{metro}: unknown price basis {basis!r}")
    note = (
        f"mean day-ahead price of {row['country']}, 2024-09 to 2025-08: energy only, "
        "without network charges, levies and tax"
    )
    return FigureRow(metro, "price_per_mwh", value, unit, "ember-wholesale", "2025-08",
                     "derived", note)  # fmt: skip


def make(shared: Path, data: Path) -> None:
    """Write `power_prices.csv`, `odbl/carbon.csv` and `odbl/NOTICE`."""
    rows = writing.read(shared / "power" / "dc_metro_power.csv")
    writing.write_figures(data / "power_prices.csv", map(_price, rows))
    writing.write_figures(
        data / "odbl" / "carbon.csv",
        (
            FigureRow(
                r["metro"], "carbon_g_per_kwh", float(r["gco2_per_kwh_2025"]), "g/kWh",
                "electricity-maps", "2025", "published", r["carbon_zone"],
            )
            for r in rows
        ),
    )  # fmt: skip
    (data / "odbl" / "NOTICE").write_text(NOTICE, encoding="utf-8")
