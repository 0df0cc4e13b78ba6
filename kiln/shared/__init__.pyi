from .client import CacheClient as CacheClient
from .settings import SECRETS as SECRETS
from .settings import Config as Config
from .settings import SharedCache as SharedCache
from .settings import shared_cache as shared_cache
from .stores import store_of as store_of
