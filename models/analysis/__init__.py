"""eventdet.models.analysis: what a network does, what it costs, and how its gradients behave at the start.

Importing this package is cheap: torch is loaded when a name that needs it is first used.
"""
