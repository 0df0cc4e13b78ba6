"""Operators on lists of numbers."""

from .ops import *  # noqa: F403
