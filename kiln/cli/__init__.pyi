from .collection import collection as collection
from .program import main as main
