from .page import PAGES as PAGES
from .page import page as page
from .page import pages_of as pages_of
