"""A network as commands take it: weights, or the name of a network with options, ``ems-res18:channels=3``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventdet.models import Detector

__all__ = ["NETWORK_HELP", "open_network"]

NETWORK_HELP = "Weights (bundled name or .safetensors file), or a network without any: NAME[:OPTION=VALUE,...]."

_OPTIONS: dict[str, object] = {
    "classes": int,
    "channels": int,
    "heads": int,
    "width": float,
    "shortcut_lif": bool,
    "pool_first": bool,
    "neurons": str,
    "detection": str,
}
"""Options of a network that a command line may give, with their types."""


def open_network(text: str, *, seed: int = 0) -> "tuple[Detector, bool]":
    """Return a detector in evaluation mode, and whether its weights are fresh.

    Raises
    ------
    OptionError
        When an option is unknown or outside its rule.
    InputError
        When it is neither a network nor weights.
    """
    import torch

    from eventdet.arguments import parse_arguments
    from eventdet.models import build_detector, load_detector
    from eventdet.models.config import NETWORKS

    name, _, arguments = text.partition(":")
    if name not in NETWORKS:
        return load_detector(text), False
    options: dict[str, Any] = parse_arguments(f"network {name}", arguments, _OPTIONS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_detector(name, **options).eval(), True
