"""The hooks of MkDocs: adds the reference pages, and replaces links to files outside docs/.

Documents link to the code, as readers of the repository need. The site has no code: such a link becomes a link into the
repository where `repo_url` is set in mkdocs.yml, otherwise its text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from tools.reference.pages import pages

_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)
_OTHER_SITE = re.compile(r"[a-z]+:|#", re.IGNORECASE)


def on_files(files: Any, config: Any) -> Any:
    """The files of the site with the reference pages; MkDocs calls it once."""
    for path, content in pages(Path(config.config_file_path).parent).items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The page's Markdown with its outside links replaced; MkDocs calls it for every page."""
    folder = posixpath.dirname(page.file.src_uri)
    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else replaced(part, folder, config.get("repo_url")) for part in parts)


def replaced(markdown: str, folder: str, repository: str | None) -> str:
    """Markdown of a document in `folder` (relative to docs/) with links into the repository, or without them."""

    def one(link: re.Match[str]) -> str:
        text, target = link[1], link[2]
        if _OTHER_SITE.match(target):
            return link[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if not path.startswith("../"):
            return link[0]
        return f"[{text}]({repository.rstrip('/')}/blob/main/{path[3:]})" if repository else text

    return _LINK.sub(one, markdown)
