"""A finished build as people read it: one page for each wheel, and two builds side by side."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
