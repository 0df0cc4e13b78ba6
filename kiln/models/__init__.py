"""The layer library's models, and programs that Kiln runs beside itself."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
