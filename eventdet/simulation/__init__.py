"""eventdet.simulation."""
