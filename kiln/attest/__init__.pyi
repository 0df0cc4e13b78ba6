from . import compare as compare
from . import verify as verify
