"""How fast the engines read an array of the user's own."""

from anyzarr._bench._measure import bench
from anyzarr._bench._models import BenchReport, EngineTime, JobReport

__all__ = ["BenchReport", "EngineTime", "JobReport", "bench"]
