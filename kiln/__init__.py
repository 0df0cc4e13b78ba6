"""Kiln: pinned sources to tested, recorded, reproducible wheels."""

__version__ = "0.1.0"
