"""The model: `Inputs` and shocks to three statements and each facility's account, by month."""

from neocloud.finance.model.run import run

__all__ = ["run"]
