"""The contracts that stores and engines keep, for those who write their own."""

from anyzarr.testing._engine_contract import EngineCase, engine_contract
from anyzarr.testing._engine_tools import assert_identical
from anyzarr.testing._store_contract import StoreCase, store_contract

__all__ = ["EngineCase", "StoreCase", "assert_identical", "engine_contract", "store_contract"]
