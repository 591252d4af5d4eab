import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import './browser-globals'
import type { Notification } from 'photofeed-client'
import { serverSentEvents } from 'photofeed-client'
import { sentenceOf } from '../src/activity/activity-page'
import {
  notifications,
  receive,
  stopNotifications,
  unreadCount,
  watchNotifications,
} from '../src/activity/notifications'

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

/** The streams that were opened: the event that each goes on from, and whether it has been ended. */
let streams: { after: string | null; ended: boolean }[]
const page = Object.assign(new EventTarget(), { visibilityState: 'visible', documentElement: { lang: 'en' } })
Object.assign(globalThis, { document: page })

function show(visibilityState: 'visible' | 'hidden'): void {
  page.visibilityState = visibilityState
  page.dispatchEvent(new Event('visibilitychange'))
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

beforeEach(() => {
  stopNotifications()
  streams = []
  page.visibilityState = 'visible'
  globalThis.fetch = async (path, options) => {
    assert.equal(path, '/v1/me/notifications/stream')
    const stream = { after: new Headers(options?.headers).get('last-event-id'), ended: false }
    streams.push(stream)
    const events = `id: 7\nevent: unread\ndata: {"unreadCount":3}\n\nid: 8\nevent: notification\ndata: ${JSON.stringify(LIKE)}\n\n`
    return new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(events))
          options?.signal?.addEventListener('abort', () => {
            stream.ended = true
            controller.error(new DOMException('ended', 'AbortError'))
          })
        },
      }),
    )
  }
})

test('after a sign-out, the next person sees no notifications of the one before', async () => {
  watchNotifications()
  await settled()
  assert.deepEqual([unreadCount.value, notifications.items.value], [3, [LIKE]])
  stopNotifications()
  await settled()
  assert.deepEqual([unreadCount.value, notifications.items.value], [0, []])
  assert.equal(notifications.state.value, 'ready')
  show('visible')
  assert.deepEqual(streams, [{ after: null, ended: true }])
  watchNotifications()
  await settled()
  assert.deepEqual(streams.at(-1), { after: null, ended: false })
  stopNotifications()
})

test('a hidden page has no stream, and one that is shown again goes on after the last event', async () => {
  watchNotifications()
  await settled()
  show('hidden')
  await settled()
  assert.deepEqual(streams, [{ after: null, ended: true }])
  show('visible')
  await settled()
  assert.deepEqual(streams.at(-1), { after: '8', ended: false })
  stopNotifications()
})
