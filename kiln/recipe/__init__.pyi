from . import bases as bases
from . import cpu as cpu
from . import cuda as cuda
from . import platforms as platforms
from .bases import Base as Base
from .bases import BaseLock as BaseLock
from .bases import Image as Image
from .bases import Package as Package
from .bases import base_lock as base_lock
from .catalogue import FILE as FILE
from .catalogue import LOCK as LOCK
from .catalogue import Catalogue as Catalogue
from .conditions import holds as holds
from .folders import files_in as files_in
from .folders import pack_folder as pack_folder
from .model import EARLIEST as EARLIEST
from .model import LATEST as LATEST
from .model import NATIVE as NATIVE
from .model import LeftOut as LeftOut
from .model import LockFile as LockFile
from .model import Option as Option
from .model import Parts as Parts
from .model import Patch as Patch
from .model import PatchList as PatchList
from .model import Recipe as Recipe
from .model import SourceList as SourceList
from .model import Step as Step
from .model import options as options
from .outline import Choice as Choice
from .outline import Outline as Outline
from .purl import described as described
from .purl import uri_of as uri_of
from .registry import Installed as Installed
from .registry import RegistryImage as RegistryImage
from .releases import for_release as for_release
from .source import (
    DebianOrigin as DebianOrigin,
)
from .source import (
    FileOrigin as FileOrigin,
)
from .source import (
    FolderOrigin as FolderOrigin,
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
from .verified import Needs as Needs
from .verified import Run as Run
from .verified import Verified as Verified
