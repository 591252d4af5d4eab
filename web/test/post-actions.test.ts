import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import './browser-globals'
import type { Post } from 'photofeed-client'
import { forgetDeleted, forgetGone, isGone, leavingPosts } from '../src/post/gone'
import { deleteWithUndo, hideWithMessage } from '../src/post/post-actions'
import { runWaiting, UNDO_MS } from '../src/shell/later'
import { toasts } from '../src/shell/toasts'

const POST = { id: 'p', author: { id: 'a', displayName: 'Ada' }, topic: 'sea' } as Post
const PLACEMENT = { postId: 'p', receipt: 'r' }

let sent: [request: string, keepalive: boolean][]
let reply: () => Response
beforeEach(() => {
  runWaiting()
  forgetGone()
  mock.timers.reset()
  mock.timers.enable({ apis: ['setTimeout'] })
  sent = []
  reply = () => new Response(null, { status: 204 })
  globalThis.fetch = async (path, options) => {
    sent.push([`${options?.method} ${path}`, options?.keepalive ?? false])
    return reply()
  }
  toasts.value = []
})

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('a deleted photo leaves the lists at once and the server after the time to undo it', async () => {
  deleteWithUndo(POST)
  assert.equal(isGone(POST), true)
  mock.timers.tick(UNDO_MS - 1)
  assert.deepEqual(sent, [])
  mock.timers.tick(1)
  await settled()
  assert.deepEqual(sent, [['DELETE /v1/photos/p', false]])
})

test('undo brings the photo back, and nothing is deleted', async () => {
  deleteWithUndo(POST)
  toasts.value[0]?.action?.run()
  assert.equal(isGone(POST), false)
  mock.timers.tick(UNDO_MS)
  await settled()
  assert.deepEqual(sent, [])
})

test('a deleted photo is not counted, although the server still counts it', async () => {
  deleteWithUndo(POST)
  assert.equal(leavingPosts.value.size, 1)
  forgetDeleted() // a profile was loaded before the photo was deleted
  assert.equal(leavingPosts.value.size, 1)
  mock.timers.tick(UNDO_MS)
  await settled()
  assert.equal(leavingPosts.value.size, 1)
  forgetDeleted() // and after
  assert.equal(leavingPosts.value.size, 0)
})

test('a photo is counted again after undo', () => {
  deleteWithUndo(POST)
  toasts.value[0]?.action?.run()
  assert.equal(leavingPosts.value.size, 0)
})

test('a page that is closed deletes the photo with a request that outlives it', async () => {
  deleteWithUndo(POST)
  runWaiting()
  await settled()
  assert.deepEqual(sent, [['DELETE /v1/photos/p', true]])
})

test('a photo that the server does not delete comes back, with its reason', async () => {
  reply = () => Response.json({ detail: 'Not now.' }, { status: 500 })
  deleteWithUndo(POST)
  mock.timers.tick(UNDO_MS)
  await settled()
  assert.equal(isGone(POST), false)
  assert.equal(toasts.value.at(-1)?.text, 'Not now.')
})

test('a hidden post leaves the lists at once, with its receipt, and undo takes it back', async () => {
  let body = ''
  globalThis.fetch = async (path, options) => {
    sent.push([`${options?.method} ${path}`, false])
    body ||= String(options?.body)
    return reply()
  }
  hideWithMessage(POST, PLACEMENT)
  assert.equal(isGone(POST), true)
  assert.equal(toasts.value[0]?.text, 'Hidden. You will see less of Ada, #sea and similar photos.')
  assert.deepEqual(JSON.parse(body), { receipt: 'r' })
  toasts.value[0]?.action?.run()
  assert.equal(isGone(POST), false)
  await settled()
  assert.deepEqual(
    sent.map(([request]) => request),
    ['PUT /v1/posts/p/hide', 'DELETE /v1/posts/p/hide'],
  )
})

test('a post whose hide the server does not take back stays hidden, with the reason', async () => {
  hideWithMessage(POST, PLACEMENT)
  await settled()
  reply = () => Response.json({ detail: 'Not now.' }, { status: 500 })
  toasts.value[0]?.action?.run()
  assert.equal(isGone(POST), false)
  await settled()
  assert.equal(isGone(POST), true)
  assert.equal(toasts.value.at(-1)?.text, 'Not now.')
})

test('a post that the server does not hide comes back', async () => {
  reply = () => Response.json({ detail: 'Not now.' }, { status: 500 })
  hideWithMessage(POST, PLACEMENT)
  await settled()
  assert.equal(isGone(POST), false)
})
