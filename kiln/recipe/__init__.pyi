from . import cpu as cpu
from . import cuda as cuda
from .bases import Base as Base
from .bases import base as base
from .loader import describe as describe
from .loader import every as every
from .loader import find as find
from .loader import line as line
from .loader import load as load
from .loader import names as names
from .loader import patches as patches
from .model import Option as Option
from .model import Patch as Patch
from .model import Recipe as Recipe
from .model import SourceList as SourceList
from .model import Step as Step
from .model import holds as holds
from .model import options as options
from .source import (
    Bazel as Bazel,
)
from .source import (
    DebianOrigin as DebianOrigin,
)
from .source import (
    FileOrigin as FileOrigin,
)
from .source import (
    GitOrigin as GitOrigin,
)
from .source import (
    NpmOrigin as NpmOrigin,
)
from .source import (
    Origin as Origin,
)
from .source import (
    PypiOrigin as PypiOrigin,
)
from .source import (
    Source as Source,
)
from .source import (
    UrlOrigin as UrlOrigin,
)
