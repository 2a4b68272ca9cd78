"""Streams that run for days: configuration, health and metrics, many sources over processes or a cluster."""

from .config import format_config, read_config
from .metrics import Health, MetricsServer, Sample
from .sources import SourceSpec, read_sources
from .state import StreamHealth
from .workers import StreamProcess, Supervisor, WorkerStatus, worker_health, worker_samples

__all__ = [
    "Health",
    "MetricsServer",
    "Sample",
    "SourceSpec",
    "StreamHealth",
    "StreamProcess",
    "Supervisor",
    "WorkerStatus",
    "format_config",
    "read_config",
    "read_sources",
    "worker_health",
    "worker_samples",
]
