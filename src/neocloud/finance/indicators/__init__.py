"""Indicators by month, with trend and what moved them.

Component cost, whom the cloud depends on, inference utilisation, whether customers come back,
pipeline.
"""

from neocloud.finance.indicators.change import Herfindahl, Quotient, Total
from neocloud.finance.indicators.cohorts import (
    Activity,
    Age,
    Cohort,
    Cohorts,
    Record,
    cohorts_of,
    metered_record,
    planned_record,
)
from neocloud.finance.indicators.component_cost import ComponentCost, Landing, component_cost
from neocloud.finance.indicators.dependences import (
    backlog_dependence,
    cash_dependence,
    revenue_dependence,
)
from neocloud.finance.indicators.diversification import (
    ANCHOR,
    Concentration,
    Dependence,
    MonthOfStakes,
    Share,
    Stake,
    concentration,
    dependence,
)
from neocloud.finance.indicators.inference import HoursMonth, InferenceUse, inference_use
from neocloud.finance.indicators.metered import HeldTime, Metered, TenantMonth, read_ledger
from neocloud.finance.indicators.pipeline import Pipeline, Signing, pipeline
from neocloud.finance.indicators.plain import indicators_csv, plain
from neocloud.finance.indicators.records import Origin, Part, Point, Series
from neocloud.finance.indicators.sales import (
    Directory,
    Sale,
    directory_of,
    invoiced_sales,
    planned_sales,
    rated_sales,
)
from neocloud.finance.indicators.summary import SCHEMA, Evidence, Indicators, summary

__all__ = [
    "ANCHOR",
    "SCHEMA",
    "Activity",
    "Age",
    "Cohort",
    "Cohorts",
    "ComponentCost",
    "Concentration",
    "Dependence",
    "Directory",
    "Evidence",
    "HeldTime",
    "Herfindahl",
    "HoursMonth",
    "Indicators",
    "InferenceUse",
    "Landing",
    "Metered",
    "MonthOfStakes",
    "Origin",
    "Part",
    "Pipeline",
    "Point",
    "Quotient",
    "Record",
    "Sale",
    "Series",
    "Share",
    "Signing",
    "Stake",
    "TenantMonth",
    "Total",
    "backlog_dependence",
    "cash_dependence",
    "cohorts_of",
    "component_cost",
    "concentration",
    "dependence",
    "directory_of",
    "indicators_csv",
    "inference_use",
    "invoiced_sales",
    "metered_record",
    "pipeline",
    "plain",
    "planned_record",
    "planned_sales",
    "rated_sales",
    "read_ledger",
    "revenue_dependence",
    "summary",
]
