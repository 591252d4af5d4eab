"""The page of the browser app, and what other sites and messengers show of a link to it (OpenGraph)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from starlette.responses import HTMLResponse

_HEAD = re.compile(r"<!--page-->.*<!--/page-->", re.DOTALL)  # the part of index.html that differs from page to page
_NAME = "photofeed"


@dataclass(frozen=True, slots=True)
class PreviewImage:
    """An image by its absolute address; width and height in pixels; what it shows, or empty."""

    url: str
    width: int
    height: int
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a link to a page shows where it is shared; everybody may read it."""

    title: str
    description: str
    url: str
    kind: str
    image: PreviewImage | None = None

    def head(self) -> Iterator[str]:
        """The elements for the page's head."""
        yield f"<title>{escape(self.title)} · {_NAME}</title>"
        yield f'<meta name="description" content="{escape(self.description)}">'
        yield f'<link rel="canonical" href="{escape(self.url)}">'
        for name, content in self._properties().items():
            yield f'<meta property="og:{name}" content="{escape(content)}">'
        yield f'<meta name="twitter:card" content="{"summary_large_image" if self.image else "summary"}">'

    def _properties(self) -> dict[str, str]:
        properties = {
            "site_name": _NAME,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "url": self.url,
        }
        if self.image is not None:
            properties |= {
                "image": self.image.url,
                "image:width": str(self.image.width),
                "image:height": str(self.image.height),
            }
            if self.image.alt:
                properties["image:alt"] = self.image.alt
        return properties


class AppPage:
    """The app's index.html, whose head is filled for the page that is asked for."""

    def __init__(self, template: str) -> None:
        self._template = template

    @staticmethod
    def of(directory: Path) -> "AppPage | None":
        """The page of the app that was built into `directory`; None if it was not built."""
        page = directory / "index.html"
        return AppPage(page.read_text(encoding="utf-8")) if page.is_file() else None

    def reply(
        self, preview: Preview | None = None, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        """The page. Without a preview its head is that of the app."""
        html = self._template
        if preview is not None:
            head = "\n    ".join(preview.head())
            html = _HEAD.sub(lambda _: head, html, count=1)
        return HTMLResponse(html, status, headers={"Cache-Control": "no-cache", **(headers or {})})
