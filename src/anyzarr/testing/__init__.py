"""The contracts that stores and engines keep, for those who write their own."""

from anyzarr.testing._engine_contract import EngineCase, assert_identical, engine_contract

__all__ = ["EngineCase", "assert_identical", "engine_contract"]
