"""What the site has beside the pages: files of the repository to which pages link, as they are."""

import re
from pathlib import Path

from mkdocs.structure.files import File

OUTSIDE = re.compile(r"\]\(\.\./([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files, config):
    """Add the files outside docs/ to which pages link."""
    root = Path(config["config_file_path"]).parent
    pages = [page for page in files if page.src_uri.endswith(".md")]
    for path in sorted({found for page in pages for found, _ in OUTSIDE.findall(page.content_string)}):
        # Pages of other folders have links of their own, which lead nowhere from here.
        files.append(File.generated(config, f"files/{path}.txt", content=(root / path).read_bytes()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lead links to these files."""
    return OUTSIDE.sub(lambda found: f"](files/{found[1]}.txt)", markdown)
