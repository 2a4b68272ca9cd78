"""Sphinx configuration."""

import eventdet

project = "eventdet"
author = "the eventdet developers"
copyright = "2026, the eventdet developers"
release = eventdet.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"eventdet {release}"
exclude_patterns = ["_build"]

myst_heading_anchors = 3
napoleon_google_docstring = False
napoleon_numpy_docstring = True
# Fields and tuples carry their own docstrings; listing inherited built-ins beside them would bury them.
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
# A parameter called like an attribute of several classes makes a link to one of them ambiguous; it is meant as a word.
suppress_warnings = ["ref.python"]
