"""eventdet.drawing."""
