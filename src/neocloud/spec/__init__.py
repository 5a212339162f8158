"""The cloud file: `cloud.yaml` to a checked, frozen `Cloud`, or to all its mistakes at once."""

from neocloud.spec.accelerators import AcceleratorEntry, CloudCatalog
from neocloud.spec.contracts import (
    Contract,
    Prepayment,
    PriceStep,
    Rental,
    TenantLimits,
    Termination,
)
from neocloud.spec.demand import Demand, FixedLengths, Network
from neocloud.spec.fields import Described, described
from neocloud.spec.finance import (
    Asset,
    Billing,
    Covenants,
    Draw,
    EquityPayment,
    Facility,
    Finance,
    Payment,
)
from neocloud.spec.load import load_cloud, parse_cloud
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
    "DISAGGREGATED",
    "AcceleratorEntry",
    "Asset",
    "Billing",
    "Cloud",
    "CloudCatalog",
    "Code",
    "Contract",
    "Covenants",
    "Demand",
    "Described",
    "Draw",
    "EnergyMeter",
    "EquityPayment",
    "Facility",
    "Finance",
    "FixedLengths",
    "Gateway",
    "HourPrice",
    "LevelStep",
    "Model",
    "ModelPrices",
    "Network",
    "Note",
    "Objective",
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
    "load_cloud",
    "parse_cloud",
    "summarise",
]
