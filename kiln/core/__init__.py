"""What every other package uses: errors, the home folder, the console, YAML files as values."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
