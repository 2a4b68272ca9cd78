"""eventdet.sources."""
