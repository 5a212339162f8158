"""Facts with their sources: accelerators, models, metros and network, power, demand."""

from neocloud.catalog.architectures import architecture_of
from neocloud.catalog.catalog import Catalog, load_catalog
from neocloud.catalog.precisions import PRECISIONS
from neocloud.catalog.records import (
    Accelerator,
    Architecture,
    AttentionKind,
    CatalogError,
    DailyShape,
    Figure,
    Grade,
    HourlyShape,
    LayerGroup,
    Metro,
    MetroPower,
    MissingFigureError,
    RoundTrip,
    Source,
    Trace,
)
from neocloud.catalog.tables import nearest

__all__ = [
    "PRECISIONS",
    "Accelerator",
    "Architecture",
    "AttentionKind",
    "Catalog",
    "CatalogError",
    "DailyShape",
    "Figure",
    "Grade",
    "HourlyShape",
    "LayerGroup",
    "Metro",
    "MetroPower",
    "MissingFigureError",
    "RoundTrip",
    "Source",
    "Trace",
    "architecture_of",
    "load_catalog",
    "nearest",
]
