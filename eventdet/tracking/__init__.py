"""From the boxes of one window to the boxes of the next: which are the same object, and where it goes."""

from .assignment import assign
from .tracker import Tracker, TrackerConfig, Tracks

__all__ = ["Tracker", "TrackerConfig", "Tracks", "assign"]
