"""eventdet.formats."""
