"""Facts with their sources: accelerators, models, metros, network, power, prices, demand."""

from neocloud.catalog.architectures import architecture_of
from neocloud.catalog.catalog import Catalog, load_catalog
from neocloud.catalog.costs import (
    decode_flops_per_token,
    kv_bytes_per_token,
    prefill_flops_per_token,
    state_bytes,
    weight_bytes,
)
from neocloud.catalog.facts import (
    Fact,
    Sheet,
    accelerator_sheet,
    architecture_numbers,
    metro_sheet,
    model_sheet,
    origins,
    power_sheet,
)
from neocloud.catalog.precisions import BITS_PER_WEIGHT, PRECISIONS
from neocloud.catalog.price_records import (
    PriceList,
    ProviderRegion,
    RentalMonth,
    RentalPrice,
    RentalRange,
    TokenPrice,
)
from neocloud.catalog.prices import model_key
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
    "BITS_PER_WEIGHT",
    "PRECISIONS",
    "Accelerator",
    "Architecture",
    "AttentionKind",
    "Catalog",
    "CatalogError",
    "DailyShape",
    "Fact",
    "Figure",
    "Grade",
    "HourlyShape",
    "LayerGroup",
    "Metro",
    "MetroPower",
    "MissingFigureError",
    "PriceList",
    "ProviderRegion",
    "RentalMonth",
    "RentalPrice",
    "RentalRange",
    "RoundTrip",
    "Sheet",
    "Source",
    "TokenPrice",
    "Trace",
    "accelerator_sheet",
    "architecture_numbers",
    "architecture_of",
    "decode_flops_per_token",
    "kv_bytes_per_token",
    "load_catalog",
    "metro_sheet",
    "model_key",
    "model_sheet",
    "nearest",
    "origins",
    "power_sheet",
    "prefill_flops_per_token",
    "state_bytes",
    "weight_bytes",
]
