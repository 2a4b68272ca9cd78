"""eventdet.preprocessing.interchange: stored recordings to and from the layouts of other tools."""

from .rvt_export import RvtOptions, export_rvt
from .summary import InterchangeSummary

__all__ = ["InterchangeSummary", "RvtOptions", "export_rvt"]
