"""eventdet.models."""
