"""The Python kit against the running system."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from photofeed_client import Action, ApiError, AsyncPhotofeedClient, PhotofeedClient
from photofeed_client.generated.api.people import get_me
from photofeed_client.generated.api.posts import get_post
from photofeed_client.generated.models import Me, Post

from tests.client.conftest import new_token

if TYPE_CHECKING:
    from tests.conftest import RunningApp


def test_a_photo_is_uploaded_and_watched_until_it_is_a_post(
    running_app: "RunningApp", token: str, photograph: Path
) -> None:
    sent: list[int] = []
    with PhotofeedClient(running_app.base_url, token) as client:
        photo = client.upload(photograph, caption="Grüße", tags=["sea"], on_progress=lambda done, _: sent.append(done))
        states = [state.status for state in client.watch(photo.id)]
        post = get_post.sync(photo.id, client=client.api)
    assert states[-1] == "ready"
    assert sent[-1] == photograph.stat().st_size
    assert isinstance(post, Post)
    assert (post.caption, post.tags) == ("Grüße", ["sea"])


def test_a_feed_is_read_and_reported(running_app: "RunningApp", token: str, photograph: Path) -> None:
    with PhotofeedClient(running_app.base_url, new_token(running_app)) as author:
        for _ in range(3):
            (*_, last) = author.watch(author.upload(photograph).id)
            assert last.status == "ready"
    with PhotofeedClient(running_app.base_url, token) as client:
        items = list(client.feed(limit=2))
        assert len({item.post.id for item in items}) == len(items) >= 3
        events = client.events()
        for item in items:
            events.add(Action.IMPRESSION, item)
        (outcome,) = events.flush()
    assert (outcome.accepted, outcome.refused) == (len(items), [])


def test_an_expired_token_is_renewed(running_app: "RunningApp", token: str) -> None:
    with PhotofeedClient(running_app.base_url, "expired", renew=lambda: token) as client:
        assert isinstance(get_me.sync(client=client.api), Me)
    with PhotofeedClient(running_app.base_url, "expired") as client, pytest.raises(ApiError) as refused:
        client.feed_page()
    assert refused.value.status == 401
    assert refused.value.request_id


def test_the_same_with_asyncio(running_app: "RunningApp", token: str, photograph: Path) -> None:
    async def run() -> tuple[list[str], int, int]:
        async with AsyncPhotofeedClient(running_app.base_url, token) as client:
            photo = await client.upload(photograph, caption="async")
            states = [str(state.status) async for state in client.watch(photo.id)]
            items = [item async for item in client.explore(limit=20)]
            async with client.events() as events:
                for item in items[:3]:
                    events.add(Action.IMPRESSION, item)
            me = await get_me.asyncio(client=client.api)
            assert isinstance(me, Me)
            return states, len(items), len({item.post.id for item in items})

    states, items, different = asyncio.run(run())
    assert states[-1] == "ready"
    assert items == different > 0
