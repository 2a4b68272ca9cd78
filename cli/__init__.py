"""eventdet.cli."""
