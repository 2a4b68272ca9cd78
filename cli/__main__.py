"""Lets ``python -m eventdet.cli`` run the command line."""

from .main import main

main()
