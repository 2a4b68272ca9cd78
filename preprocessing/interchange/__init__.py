"""eventdet.preprocessing.interchange: stored recordings to and from the layouts of other tools."""

from .rvt_export import RvtOptions, export_rvt
from .rvt_import import import_rvt
from .samples import SAMPLES, ShardOptions
from .shards import export_shards
from .summary import InterchangeSummary

__all__ = ["SAMPLES", "InterchangeSummary", "RvtOptions", "ShardOptions", "export_rvt", "export_shards", "import_rvt"]
