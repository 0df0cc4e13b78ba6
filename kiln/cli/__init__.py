"""The command line."""

import lazy_loader

from kiln.cli.startup import prepare

prepare()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
