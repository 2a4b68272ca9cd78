"""Tests of eventdet.formats."""
