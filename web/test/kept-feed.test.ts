import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import './browser-globals'
import type { Post } from 'photofeed-client'
import { feed } from '../src/feed/feed-pages'
import { keepFeed, restoreFeed } from '../src/feed/kept-feed'
import type { FeedEntry } from '../src/feed/slates'
import { forgetReactions, reactions, toggleLike } from '../src/post/reactions'

const POST = { id: 'p', author: { id: 'a', handle: 'ada' }, likeCount: 1, likedByMe: false } as Post
const ENTRY = { post: POST, position: 0, slate: { slateId: 's' } } as FeedEntry

beforeEach(() => {
  forgetReactions()
  feed.restore({ items: [ENTRY], cursor: 'next' })
})

test('a reload shows the same posts, with what was liked meanwhile, and goes on from there', async () => {
  globalThis.fetch = async () =>
    Response.json({ likeCount: 2, likedByMe: true, saveCount: 0, savedByMe: false })
  await toggleLike(POST, { postId: 'p' })
  keepFeed('u', 1234, 0)
  feed.restore({ items: [], cursor: null })
  forgetReactions()
  assert.equal(restoreFeed('u', 60_000), 1234)
  assert.deepEqual(
    feed.items.value.map(({ post }) => [post.id, reactions(post).value.likedByMe]),
    [['p', true]],
  )
  assert.equal(feed.state.value, 'ready')
  assert.equal(restoreFeed('u', 60_000), null)
})

test('the feed of somebody else, or one whose slate has expired, is not shown', () => {
  keepFeed('u', 1, 0)
  assert.equal(restoreFeed('other', 1), null)
  keepFeed('u', 1, 0)
  assert.equal(restoreFeed('u', 11 * 60_000), null)
})
