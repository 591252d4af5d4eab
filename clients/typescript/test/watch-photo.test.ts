import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ENGLISH,
  type Photo,
  Problem,
  type ServerSentEvent,
  serverSentEvents,
  watchPhoto,
} from '../src/index.js'

function streamOf(...chunks: (string | Uint8Array<ArrayBuffer>)[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks)
        controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk)
      controller.close()
    },
  })
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const status = (name: string) => `id: ${name}\nevent: status\ndata: {"id":"p","status":"${name}"}\n\n`

test('events are separated wherever the network splits the stream', async () => {
  const bytes = new TextEncoder().encode(
    'id: 7\r\nevent: status\r\ndata: {"caption":"été"}\r\n\r\n: ping\n\ndata: two\ndata: lines\n\n',
  )
  const expected: ServerSentEvent[] = [
    { event: 'status', data: '{"caption":"été"}', id: '7' },
    { event: 'message', data: 'two\nlines' },
  ]
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.deepEqual(await all(serverSentEvents(streamOf(bytes.slice(0, cut), bytes.slice(cut)))), expected)
  }
})

interface Fake {
  streams: (ReadableStream<Uint8Array> | Problem | null)[]
  polled?: string[]
}

/** An API that gives the streams in turn, then breaks every stream, and whose photo has the polled states in turn. */
function fake({ streams, polled = [] }: Fake) {
  const lastIds: (string | undefined)[] = []
  const pauses: number[] = []
  return {
    lastIds,
    pauses,
    texts: () => ENGLISH,
    pause: async (ms: number) => void pauses.push(ms),
    get: async <T>() => ({ id: 'p', status: polled.shift() ?? 'processing' }) as T,
    stream: async (_path: string, options?: { headers?: Record<string, string> }) => {
      lastIds.push(options?.headers?.['last-event-id'])
      const next = streams.shift()
      if (next === undefined) throw new TypeError('network error')
      if (next instanceof Problem) throw next
      return next
    },
  }
}

const states = async (api: ReturnType<typeof fake>) =>
  (await all<Photo>(watchPhoto(api, 'p'))).map((photo) => photo.status)

test('a stream that breaks is continued after its last event', async () => {
  const first = streamOf(`retry: 1500\n\n${status('awaiting_upload')}`)
  const api = fake({ streams: [first, streamOf(status('processing'), status('ready'))] })
  assert.deepEqual(await states(api), ['awaiting_upload', 'processing', 'ready'])
  assert.deepEqual(api.lastIds, [undefined, 'awaiting_upload'])
  assert.deepEqual(api.pauses, [1500])
})

test('where streams break the status is polled', async () => {
  const api = fake({ streams: [], polled: ['processing', 'processing', 'review'] })
  assert.deepEqual(await states(api), ['processing', 'review'])
})

test('a photo whose processing never ends is an error', async () => {
  await assert.rejects(states(fake({ streams: [] })), { name: 'Problem', code: 'status-lost' })
})

test('another user’s photo is not requested again', async () => {
  const api = fake({ streams: [new Problem(404, 'not_found', 'There is no such photo.')] })
  await assert.rejects(states(api), { status: 404 })
  assert.equal(api.lastIds.length, 1)
})
