"""The cache of compiled objects that machines share: its settings, its servers, and what a build takes and gives."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
