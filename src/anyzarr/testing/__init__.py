"""The contracts that stores and engines keep, for those who write their own."""

from anyzarr.testing._engine_contract import EngineCase, engine_contract
from anyzarr.testing._engine_tools import assert_identical

__all__ = ["EngineCase", "assert_identical", "engine_contract"]
