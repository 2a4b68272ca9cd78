"""eventdet.sinks."""
