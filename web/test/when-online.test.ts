import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import './browser-globals'
import { isAbort, Problem } from 'photofeed-client'
import { toasts } from '../src/shell/toasts'
import { isWaiting, takeBack, takeBackAll, whenOnline } from '../src/shell/when-online'

const UNREACHABLE = new Problem(0, 'unreachable', 'no reply')
const browser = new EventTarget()
let online: boolean
let sent: number

Object.assign(globalThis, { addEventListener: browser.addEventListener.bind(browser) })
Object.defineProperty(globalThis, 'navigator', {
  value: {
    get onLine() {
      return online
    },
  },
})

const settled = () => new Promise((resolve) => setImmediate(resolve))
const send = async () => {
  sent += 1
  if (!online) throw UNREACHABLE
  return 'reply'
}

beforeEach(() => {
  takeBackAll()
  toasts.value = []
  online = false
  sent = 0
})

test('a change waits for a network, and says so', async () => {
  const change = whenOnline('like', send)
  await settled()
  assert.deepEqual([sent, isWaiting(), toasts.value.length], [1, true, 1])
  online = true
  browser.dispatchEvent(new Event('online'))
  assert.equal(await change, 'reply')
  assert.deepEqual([sent, isWaiting()], [2, false])
})

test('a change that was taken back is not sent', async () => {
  const change = whenOnline('like', send)
  await settled()
  assert.equal(takeBack('save'), false)
  assert.equal(takeBack('like'), true)
  await assert.rejects(change, isAbort)
  online = true
  browser.dispatchEvent(new Event('online'))
  await settled()
  assert.deepEqual([sent, takeBack('like')], [1, false])
})

test('a refusal, and a server that is away, are told at once', async () => {
  const refusal = new Problem(404, 'post_not_found', 'There is no such post.')
  await assert.rejects(
    whenOnline('like', () => Promise.reject(refusal)),
    refusal,
  )
  online = true
  await assert.rejects(
    whenOnline('like', () => Promise.reject(UNREACHABLE)),
    UNREACHABLE,
  )
  assert.equal(isWaiting(), false)
})
