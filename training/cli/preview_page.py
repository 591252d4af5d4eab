"""A preview as one self-contained HTML page: embedded pictures, no scripts, no requests."""

import base64
from datetime import datetime, timedelta
from html import escape

from training.cli.preview import Preview, RankedPost

MAX_HOURS = 48  # older posts show their age in days

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #888; --up: #2a8a57; --down: #c2483d; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } p.note { color: var(--soft); margin: .3rem 0 1.5rem; }
.columns { display: grid; gap: 2rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
h2 { font-size: 1rem; border-bottom: 2px solid; padding-bottom: .4rem; }
article { display: grid; gap: .8rem; grid-template-columns: 8rem 1fr; padding: .8rem 0; }
article { border-bottom: 1px solid var(--line); }
img, .blank { width: 8rem; height: 8rem; object-fit: cover; border-radius: .5rem; background: var(--line); }
.rank { font-weight: 600; } .soft { color: var(--soft); font-size: .87em; } .moved { font-weight: 600; }
ul { list-style: none; margin: .4rem 0 0; padding: 0; font: 12px/1.6 ui-monospace, monospace; }
.up { color: var(--up); } .down { color: var(--down); }
"""


def as_html(preview: Preview) -> str:
    """The page: one column per model. Each post shows its rank in the first column."""
    labels = list(preview.columns)
    first = {ranked.post.post_id: rank for rank, ranked in enumerate(preview.columns[labels[0]], start=1)}
    columns = "".join(_column(preview, label, first if label != labels[0] else None) for label in labels)
    person = escape(preview.handle)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The feed of @{person}</title>'
        f"<style>{_STYLE}</style></head><body><h1>The feed of @{person}</h1>"
        f'<p class="note">{preview.at:%Y-%m-%d %H:%M}. The same candidates and features, ordered by the score of each '
        f"model alone, without explore slots and reranking rules. Numbers: the largest contributions to the score.</p>"
        f'<div class="columns">{columns}</div></body></html>'
    )


def _column(preview: Preview, label: str, first: dict[int, int] | None) -> str:
    articles = "".join(
        _article(rank, ranked, preview.at, first) for rank, ranked in enumerate(preview.columns[label], start=1)
    )
    return f"<section><h2>{escape(label)}</h2>{articles}</section>"


def _article(rank: int, ranked: RankedPost, at: datetime, first: dict[int, int] | None) -> str:
    post = ranked.post
    picture = base64.b64encode(post.picture).decode()
    image = f'<img alt="" src="data:image/jpeg;base64,{picture}">' if picture else '<div class="blank"></div>'
    about = f"{escape(post.topic)} · {_age(at - post.posted_at)} old · {escape(post.source)} · score {ranked.score:.3f}"
    why = "".join(
        f'<li><span class="{"up" if moved >= 0 else "down"}">{moved:+.3f}</span> {escape(name)} = {value:.4g}</li>'
        for name, value, moved in ranked.contributions
    )
    return (
        f'<article>{image}<div><span class="rank">{rank}. @{escape(post.handle)}</span> '
        f"{_moved(rank, post.post_id, first)}"
        f'<br>{escape(post.caption)}<div class="soft">{about}</div><div class="soft">{escape(post.reason)}</div>'
        f"<ul>{why}</ul></div></article>"
    )


def _age(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours:.0f} h" if hours < MAX_HOURS else f"{hours / 24:.0f} d"


def _moved(rank: int, post_id: int, first: dict[int, int] | None) -> str:
    if first is None:
        return ""
    other = first.get(post_id)
    if other is None:
        return '<span class="moved up">new</span>'
    if other == rank:
        return '<span class="soft">same rank</span>'
    return f'<span class="moved {"up" if rank < other else "down"}">{"▲" if rank < other else "▼"} from {other}</span>'
