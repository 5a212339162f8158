"""The cloud file: `cloud.yaml` to a checked, frozen `Cloud`, or to all its mistakes at once."""

from neocloud.spec.accelerators import AcceleratorEntry, CloudCatalog
from neocloud.spec.assets import Asset, Payment
from neocloud.spec.contracts import (
    Contract,
    Extension,
    Prepayment,
    PriceStep,
    Rental,
    TenantLimits,
    Termination,
)
from neocloud.spec.debt import (
    CREDITS,
    BaseRate,
    Conversion,
    Covenants,
    Draw,
    Facility,
    RatePoint,
)
from neocloud.spec.demand import Demand, FixedLengths, Network
from neocloud.spec.fields import Described, described
from neocloud.spec.finance import Billing, EquityPayment, Finance
from neocloud.spec.horizon import horizon, month_between, months_after
from neocloud.spec.load import load_cloud, parse_cloud
from neocloud.spec.operations import Merchant, Opening, OperatingCost
from neocloud.spec.planning import AGGREGATED, DISAGGREGATED, Planning
from neocloud.spec.power import PowerContract, PowerStep
from neocloud.spec.pricing import (
    HourPrice,
    ModelPrices,
    PriceAdjustment,
    PriceChange,
    PriceTier,
    Pricing,
    TieredPrices,
    TokenPricesApart,
)
from neocloud.spec.problems import CODES, Code, Note, Problem, SpecError
from neocloud.spec.records import (
    Cloud,
    Model,
    Objective,
    Tenant,
)
from neocloud.spec.schema import cloud_schema
from neocloud.spec.serving import Gateway, Remote, TokenPrices
from neocloud.spec.sites import EnergyMeter, Pool, Site
from neocloud.spec.summary import Summary, Validation, summarise
from neocloud.spec.terms import LevelStep, PrepaidCredit, ServiceLevel
from neocloud.spec.traces import TraceFile

__all__ = [
    "AGGREGATED",
    "CODES",
    "CREDITS",
    "DISAGGREGATED",
    "AcceleratorEntry",
    "Asset",
    "BaseRate",
    "Billing",
    "Cloud",
    "CloudCatalog",
    "Code",
    "Contract",
    "Conversion",
    "Covenants",
    "Demand",
    "Described",
    "Draw",
    "EnergyMeter",
    "EquityPayment",
    "Extension",
    "Facility",
    "Finance",
    "FixedLengths",
    "Gateway",
    "HourPrice",
    "LevelStep",
    "Merchant",
    "Model",
    "ModelPrices",
    "Network",
    "Note",
    "Objective",
    "Opening",
    "OperatingCost",
    "Payment",
    "Planning",
    "Pool",
    "PowerContract",
    "PowerStep",
    "PrepaidCredit",
    "Prepayment",
    "PriceAdjustment",
    "PriceChange",
    "PriceStep",
    "PriceTier",
    "Pricing",
    "Problem",
    "RatePoint",
    "Remote",
    "Rental",
    "ServiceLevel",
    "Site",
    "SpecError",
    "Summary",
    "Tenant",
    "TenantLimits",
    "Termination",
    "TieredPrices",
    "TokenPrices",
    "TokenPricesApart",
    "TraceFile",
    "Validation",
    "cloud_schema",
    "described",
    "horizon",
    "load_cloud",
    "month_between",
    "months_after",
    "parse_cloud",
    "summarise",
]
