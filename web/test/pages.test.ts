import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'photofeed-client'
import { Problem } from 'photofeed-client'
import { Pages } from '../src/api/pages'

const PAGES: Record<string, Page<number>> = {
  first: { items: [1, 2], nextCursor: 'second' },
  second: { items: [3], nextCursor: null },
}
const fetchPage = async (cursor: string | null) => PAGES[cursor ?? 'first'] as Page<number>
const unexpected = (error: unknown) => assert.fail(String(error))

test('the list follows the cursor to its end and stops', async () => {
  let asked = 0
  const pages = new Pages<number>((cursor) => {
    asked += 1
    return fetchPage(cursor)
  }, unexpected)
  for (let at = 0; at < 4; at++) await pages.more()
  assert.deepEqual(pages.items.value, [1, 2, 3])
  assert.equal(pages.state.value, 'complete')
  assert.equal(asked, 2)
})

test('two calls at once load one page', async () => {
  const pages = new Pages<number>(fetchPage, unexpected)
  await Promise.all([pages.more(), pages.more()])
  assert.deepEqual(pages.items.value, [1, 2])
})

test('a page that failed can be loaded again from the same cursor', async () => {
  const failures: unknown[] = []
  let down = false
  const pages = new Pages<number>(
    (cursor) => (down ? Promise.reject(new Error('down')) : fetchPage(cursor)),
    (error) => failures.push(error),
  )
  await pages.more()
  down = true
  await pages.more()
  assert.equal(pages.state.value, 'failed')
  down = false
  await pages.more()
  assert.deepEqual(pages.items.value, [1, 2, 3])
  assert.equal(failures.length, 1)
})

test('a page that arrives after a restart does not mix two slates', async () => {
  const arrivals: ((page: Page<number>) => void)[] = []
  const pages = new Pages<number>(() => new Promise((resolve) => arrivals.push(resolve)), unexpected)
  const stale = pages.more()
  const fresh = pages.restart()
  arrivals[1]?.({ items: [7], nextCursor: null })
  arrivals[0]?.({ items: [1], nextCursor: 'second' })
  await Promise.all([stale, fresh])
  assert.deepEqual(pages.items.value, [7])
  assert.equal(pages.state.value, 'complete')
})

test('a list whose cursor has expired starts again', async () => {
  let forgotten = false
  const pages = new Pages<number>(
    (cursor) => {
      if (forgotten && cursor) throw new Problem(422, 'cursor_expired', 'This page is too old.')
      return fetchPage(cursor)
    },
    () => {},
  )
  await pages.more()
  forgotten = true
  await pages.more()
  assert.equal(pages.state.value, 'expired')
  await pages.restart()
  assert.deepEqual(pages.items.value, [1, 2])
})
