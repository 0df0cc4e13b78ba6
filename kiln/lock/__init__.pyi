from .generator import SETTINGS as SETTINGS
from .generator import Lock as Lock
from .generator import LockSettings as LockSettings
from .generator import find as find
from .generator import generate as generate
from .generator import read_settings as read_settings
from .lookup import Lookup as Lookup
