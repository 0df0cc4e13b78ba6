from .difference import Comparison as Comparison
from .difference import compared as compared
from .page import PAGES as PAGES
from .page import compare_page as compare_page
from .page import page as page
from .page import pages_of as pages_of
