import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ServerSentEvent, serverSentEvents } from '../src/api/event-stream'
import { Problem } from '../src/api/problem'
import { followPhoto } from '../src/upload/follow-photo'

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

const status = (name: string) => `event: status\ndata: {"id":"p","status":"${name}"}\n\n`

test('events are told apart however the network cuts the stream', async () => {
  const bytes = new TextEncoder().encode(
    'event: status\r\ndata: {"caption":"été"}\r\n\r\n: ping\n\ndata: two\ndata: lines\n\n',
  )
  const expected: ServerSentEvent[] = [
    { event: 'status', data: '{"caption":"été"}' },
    { event: 'message', data: 'two\nlines' },
  ]
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.deepEqual(await all(serverSentEvents(streamOf(bytes.slice(0, cut), bytes.slice(cut)))), expected)
  }
})

test('a photo is followed to its final state across a stream that breaks off', async () => {
  const streams = [streamOf(status('processing')), streamOf(status('processing'), status('ready'))]
  const api = { stream: async () => streams.shift() ?? streamOf() }
  const photos = await all(followPhoto(api, 'p', new AbortController().signal, async () => {}))
  assert.deepEqual(
    photos.map((photo) => photo.status),
    ['processing', 'processing', 'ready'],
  )
})

test('a photo whose stream never comes is given up with words, not followed for ever', async () => {
  const api = { stream: () => Promise.reject(Problem.unreachable()) }
  const following = all(followPhoto(api, 'p', new AbortController().signal, async () => {}))
  await assert.rejects(following, { name: 'Problem', code: 'status-lost' })
})

test('someone else’s photo is not asked for again and again', async () => {
  let asked = 0
  const api = {
    stream: () => {
      asked += 1
      return Promise.reject(new Problem(404, 'not_found', 'There is no such photo.'))
    },
  }
  const following = all(followPhoto(api, 'p', new AbortController().signal, async () => {}))
  await assert.rejects(following, { status: 404 })
  assert.equal(asked, 1)
})
