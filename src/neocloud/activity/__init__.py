"""The hourly table of what is planned, simulated or metered: type, arithmetic, Parquet."""

from neocloud.activity.arithmetic import Totals, group, total
from neocloud.activity.parquet import MissingPyarrowError, read_parquet, write_parquet
from neocloud.activity.records import SCHEMA, Origin, Purpose, Row

__all__ = [
    "SCHEMA",
    "MissingPyarrowError",
    "Origin",
    "Purpose",
    "Row",
    "Totals",
    "group",
    "read_parquet",
    "total",
    "write_parquet",
]
