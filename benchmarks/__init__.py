"""eventdet.benchmarks: our kernels against peers and against the limit, as ratios in one run.

One part a module, each with one function that returns rows; ``eventdet benchmark`` prints them.
"""

from .rows import BenchmarkRow, format_rows

__all__ = ["BenchmarkRow", "format_rows"]
