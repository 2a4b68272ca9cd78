"""eventdet.preprocessing."""
