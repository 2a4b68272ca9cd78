"""eventdet.models.exchange: networks from and to other tools.

Importing this package is cheap: torch is loaded when a module that needs it is imported.
"""
