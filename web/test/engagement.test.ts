import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EngagementEvent } from 'photofeed-client'
import { type NewEvent, newId, Problem, Reporter } from 'photofeed-client'
import { Attention } from '../src/engagement/attention'

const FIRST = { postId: 'a', receipt: 'r', source: 'following' } as const

function watched() {
  const happenings: NewEvent[] = []
  const clock = { now: 0 }
  const attention = new Attention(
    (event) => happenings.push(event),
    () => clock.now,
  )
  return { attention, happenings, clock }
}

test('a post that comes back into view is one impression and two dwells', () => {
  const { attention, happenings, clock } = watched()
  attention.enter(FIRST)
  clock.now = 1000
  attention.leave(FIRST)
  clock.now = 5000
  attention.enter(FIRST)
  clock.now = 5600
  attention.leave(FIRST)
  assert.deepEqual(happenings, [
    { type: 'impression', ...FIRST },
    { type: 'dwell', dwellMs: 1000, ...FIRST },
    { type: 'dwell', dwellMs: 600, ...FIRST },
  ])
})

test('scrolling past is not a dwell', () => {
  const { attention, happenings, clock } = watched()
  attention.enter(FIRST)
  clock.now = 100
  attention.leave(FIRST)
  assert.deepEqual(
    happenings.map(({ type }) => type),
    ['impression'],
  )
})

test('time in a hidden tab does not count as dwell', () => {
  const { attention, happenings, clock } = watched()
  attention.enter(FIRST)
  clock.now = 800
  attention.pause()
  clock.now = 60_000
  attention.resume()
  clock.now = 60_300
  attention.leave(FIRST)
  assert.deepEqual(
    happenings.filter(({ type }) => type === 'dwell').map(({ dwellMs }) => dwellMs),
    [800, 300],
  )
})

test('a post that leaves while the page is hidden has no further dwell', () => {
  const { attention, happenings, clock } = watched()
  attention.enter(FIRST)
  clock.now = 800
  attention.pause()
  clock.now = 60_000
  attention.leave(FIRST)
  attention.resume()
  assert.deepEqual(
    happenings.filter(({ type }) => type === 'dwell').map(({ dwellMs }) => dwellMs),
    [800],
  )
})

test('the same post in another slate is another impression', () => {
  const { attention, happenings } = watched()
  attention.enter(FIRST)
  attention.enter({ ...FIRST, receipt: 'later' })
  assert.deepEqual(
    happenings.map(({ receipt }) => receipt),
    ['r', 'later'],
  )
})

test('a view outside of a slate is no impression', () => {
  const { attention, happenings, clock } = watched()
  attention.enter({ postId: 'a' })
  clock.now = 1000
  attention.leave({ postId: 'a' })
  assert.deepEqual(happenings, [{ type: 'dwell', dwellMs: 1000, postId: 'a' }])
})

test('events are kept while the server is down, with their ids', async () => {
  const batches: EngagementEvent[][] = []
  let away = true
  const reporter = new Reporter({
    send: async (events) => {
      batches.push(events)
      if (away) throw new Problem(0, 'unreachable', 'No reply.')
      return { accepted: events.length, unchanged: 0, refused: [] }
    },
    onFailure: () => {},
  })
  reporter.report({ type: 'impression', ...FIRST })
  await reporter.flush()
  away = false
  reporter.report({ type: 'open', ...FIRST })
  await reporter.flush()
  await reporter.flush()
  assert.equal(batches.length, 2)
  assert.deepEqual(
    batches[1]?.map(({ type }) => type),
    ['impression', 'open'],
  )
  assert.equal(batches[1]?.[0]?.id, batches[0]?.[0]?.id)
})

test('while the server is down the newest events are kept, in their order', async () => {
  let away = true
  let now = 1_700_000_000_000
  let sent: EngagementEvent[] = []
  const reporter = new Reporter({
    send: async (events) => {
      if (away) throw new Problem(0, 'unreachable', 'No reply.')
      sent = [...sent, ...events]
      return { accepted: events.length, unchanged: 0, refused: [] }
    },
    onFailure: () => {},
    now: () => now++,
  })
  const report = (from: number, to: number) => {
    for (let at = from; at < to; at++) reporter.report({ type: 'open', postId: `${at}` })
  }
  report(0, 450)
  await reporter.flush()
  report(450, 620)
  await reporter.flush()
  away = false
  await reporter.flush()
  assert.deepEqual(
    sent.map(({ postId }) => postId),
    Array.from({ length: 500 }, (_, at) => `${120 + at}`),
  )
})

test('a batch that the server refuses is reported once and not sent again', async () => {
  let sent = 0
  const failures: unknown[] = []
  const reporter = new Reporter({
    send: async () => {
      sent += 1
      throw new Problem(422, 'invalid', 'That is not an event.')
    },
    onFailure: (error) => failures.push(error),
  })
  reporter.report({ type: 'impression', ...FIRST })
  await reporter.flush()
  await reporter.flush()
  assert.equal(sent, 1)
  assert.equal(failures.length, 1)
})

test('no batch is larger than a closing page may send', async () => {
  const sizes: number[] = []
  const reporter = new Reporter({
    send: async (events) => {
      sizes.push(JSON.stringify({ events }).length)
      return { accepted: events.length, unchanged: 0, refused: [] }
    },
    onFailure: () => {},
  })
  for (let at = 0; at < 250; at++) reporter.report({ type: 'dwell', dwellMs: 12_345, ...FIRST })
  await reporter.flush(true)
  assert.equal(sizes.length, 3)
  assert.ok(Math.max(...sizes) < 64 * 1024)
})

test('event ids are version 7 UUIDs that sort by time', () => {
  const earlier = newId(1_700_000_000_000)
  const later = newId(1_700_000_000_001)
  assert.match(earlier, /^018bcfe5-6800-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.ok(earlier < later)
})
