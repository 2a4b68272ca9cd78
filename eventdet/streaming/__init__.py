"""eventdet.streaming."""
