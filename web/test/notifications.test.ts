import assert from 'node:assert/strict'
import { test } from 'node:test'
import './browser-globals'
import type { Notification } from 'photofeed-client'
import { serverSentEvents } from 'photofeed-client'
import { sentenceOf } from '../src/activity/activity-page'
import { receive } from '../src/activity/notifications'

const LIKE: Notification = {
  id: 'n1',
  kind: 'like',
  at: '2026-11-29T07:00:00.000Z',
  read: true,
  actors: [{ id: 'a', handle: 'ada', displayName: 'Ada', avatarUrl: null }],
  actorCount: 1,
  postId: 'p',
  images: {},
  commentId: null,
  text: null,
  decision: null,
}

test('a notification that arrives again moves to the start and is listed once', () => {
  const older = { ...LIKE, id: 'n0' }
  const again = { ...LIKE, actorCount: 2, read: false }
  assert.deepEqual(receive([older, LIKE], again), [again, older])
})

test('likes name the last person and count the others', () => {
  assert.equal(sentenceOf(LIKE), 'Ada likes your photo.')
  assert.equal(sentenceOf({ ...LIKE, actorCount: 2 }), 'Ada and 1 other like your photo.')
  assert.equal(sentenceOf({ ...LIKE, actorCount: 13 }), 'Ada and 12 others like your photo.')
})

test('events keep their ids, to go on from there', async () => {
  const body = new Blob([
    'retry: 2000\n\nid: 0A\nevent: unread\ndata: {}\n\n: still here\n\ndata: x\n\n',
  ]).stream()
  const events = []
  for await (const event of serverSentEvents(body)) events.push(event)
  assert.deepEqual(events, [
    { event: 'unread', data: '{}', id: '0A' },
    { event: 'message', data: 'x' },
  ])
})
