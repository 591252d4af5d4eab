import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ApiClient,
  type ClientOptions,
  candidates,
  feedItems,
  Problem,
  putItems,
  Reporter,
  rank,
  retryAfterMs,
  uploadPhoto,
} from '../src/index.js'

/** A client that does not wait: the pauses it would have made are in `pauses`. */
function client(
  send: typeof fetch,
  pauses: number[] = [],
  credentials: ClientOptions['credentials'] = 'good',
) {
  return new ApiClient({ credentials, send, pause: async (ms) => void pauses.push(ms) })
}

function problemReply(status: number, body: object): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  })
}

function clientThatGets(reply: () => Response): ApiClient {
  return client(async () => reply())
}

test('a problem reply is thrown with the server’s message', async () => {
  const api = clientThatGets(() =>
    problemReply(409, {
      title: 'Conflict',
      detail: 'Upload the photo before completing it.',
      code: 'not_uploaded',
    }),
  )
  await assert.rejects(api.post('/photos/x/complete'), (error) => {
    assert.ok(error instanceof Problem)
    assert.equal(error.status, 409)
    assert.equal(error.code, 'not_uploaded')
    assert.equal(error.detail, 'Upload the photo before completing it.')
    assert.equal(error.isTransient, false)
    return true
  })
})

test('a file is read as it is, and a refused one is a problem, not a file', async () => {
  const sent = new Uint8Array([80, 75, 0, 255])
  const file = await clientThatGets(() => new Response(sent)).file('/me/export')
  assert.deepEqual(new Uint8Array(await file.arrayBuffer()), sent)
  const refusing = clientThatGets(() => problemReply(403, { detail: 'Not now.', code: 'not_now' }))
  await assert.rejects(refusing.file('/me/export'), { code: 'not_now', detail: 'Not now.' })
})

test('a proxy’s HTML page is described by its status', async () => {
  const api = clientThatGets(
    () =>
      new Response('<h1>oops</h1>', {
        status: 502,
        statusText: 'Bad Gateway',
        headers: { 'content-type': 'text/html' },
      }),
  )
  await assert.rejects(api.get('/feed'), (error) => {
    assert.ok(error instanceof Problem)
    assert.equal(error.detail, 'The server answered 502 Bad Gateway')
    assert.equal(error.isTransient, true)
    return true
  })
})

test('a missing reply is a transient problem', async () => {
  const api = client(async () => {
    throw new TypeError('fetch failed')
  })
  await assert.rejects(api.get('/feed'), { name: 'Problem', status: 0, code: 'unreachable' })
})

test('an aborted request stays an abort, so that it is not shown as an error', async () => {
  const api = client(async () => {
    throw new DOMException('gone', 'AbortError')
  })
  await assert.rejects(api.get('/feed'), { name: 'AbortError' })
})

test('an expired token is renewed once and the request sent again', async () => {
  let token = 'old'
  const sent: (string | null)[] = []
  const renewing = {
    token: () => token,
    renew: async () => {
      token = 'new'
      return true
    },
  }
  const api = client(
    async (_url, init) => {
      const authorization = new Headers(init?.headers).get('authorization')
      sent.push(authorization)
      return authorization === 'Bearer new'
        ? Response.json({ id: 'me' })
        : problemReply(401, { detail: 'Expired.' })
    },
    [],
    renewing,
  )
  assert.deepEqual(await api.get('/me'), { id: 'me' })
  assert.deepEqual(sent, ['Bearer old', 'Bearer new'])
})

test('a reply without a body is undefined, not a parse error', async () => {
  const api = clientThatGets(() => new Response(null, { status: 204 }))
  assert.equal(await api.put('/users/x/follow'), undefined)
})

/** Answers with the prepared replies in turn; null is a lost connection. */
function answers(...replies: (Response | null)[]) {
  const requests: Request[] = []
  const send: typeof fetch = async (url, init) => {
    requests.push(new Request(new URL(String(url), 'http://api.test'), init))
    const reply = replies.shift()
    if (!reply) throw new TypeError('fetch failed')
    return reply
  }
  return { requests, send }
}

const busy = (seconds?: string) =>
  new Response(null, { status: 503, headers: seconds === undefined ? {} : { 'retry-after': seconds } })

test('a repeated POST has the same key, and another POST has another', async () => {
  const { requests, send } = answers(null, busy(), Response.json({}), Response.json({}))
  const api = client(send)
  await api.post('/photos/initiate')
  await api.post('/photos/initiate')
  const keys = requests.map((request) => request.headers.get('idempotency-key'))
  assert.equal(new Set(keys).size, 2)
  assert.equal(new Set(keys.slice(0, 3)).size, 1)
  assert.ok(keys[0])
})

test('the client waits as long as the server asks, but not too long', async () => {
  const pauses: number[] = []
  await client(answers(busy('4'), Response.json({})).send, pauses).get('/feed')
  assert.deepEqual(pauses, [4000])
  await assert.rejects(client(answers(busy('3600')).send, pauses).get('/feed'), { status: 503 })
  assert.equal(pauses.length, 1)
})

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  assert.equal(retryAfterMs('7', now), 7000)
  assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT', now), 5000)
  assert.equal(retryAfterMs('Thu, 01 Jan 2025 00:00:05 GMT', now), 0)
  for (const none of [null, '', 'soon']) assert.equal(retryAfterMs(none, now), null)
})

test('other refusals and requests of a closing page are sent once', async () => {
  const refused = answers(problemReply(422, { code: 'invalid', detail: 'No.' }))
  await assert.rejects(client(refused.send).post('/photos/initiate'), { code: 'invalid' })
  const closing = answers(busy())
  await assert.rejects(client(closing.send).post('/events', {}, { keepalive: true }), { status: 503 })
  assert.equal(closing.requests[0]?.headers.get('idempotency-key'), null)
})

test('a feed is read page by page to its end', async () => {
  const item = (id: string) => ({ post: { id } })
  const { requests, send } = answers(
    Response.json({ items: [item('a'), item('b')], nextCursor: 'c d' }),
    Response.json({ items: [item('c')], nextCursor: null }),
  )
  const ids: string[] = []
  for await (const { post } of feedItems(client(send), { limit: 2 })) ids.push(post.id)
  assert.deepEqual(ids, ['a', 'b', 'c'])
  assert.equal(requests[1]?.url, 'http://api.test/v1/feed?limit=2&cursor=c+d')
})

test('an upload is sent again after a lost connection, without the token', async () => {
  const ticket = { photoId: 'p', uploadUrl: 'http://store.test/p', headers: { 'content-type': 'image/jpeg' } }
  const events = 'event: status\ndata: {"id":"p","status":"ready"}\n\n'
  const { requests, send } = answers(
    Response.json(ticket),
    null,
    new Response(),
    Response.json({ id: 'p', status: 'processing' }),
    new Response(events),
  )
  const stages: string[] = []
  const photo = await uploadPhoto(client(send), { file: new Blob(['bytes']) }, (now) =>
    stages.push(now.stage),
  )
  assert.equal(photo.status, 'ready')
  assert.deepEqual(stages, ['sending', 'sending', 'processing', 'done'])
  const puts = requests.filter(({ method }) => method === 'PUT')
  assert.equal(puts.length, 2)
  for (const put of puts) {
    assert.equal(put.headers.get('authorization'), null)
    assert.equal(await put.text(), 'bytes')
  }
})

test('events keep their ids until the server has them', async () => {
  const outcome = { accepted: 1, unchanged: 0, refused: [] }
  const { requests, send } = answers(busy(), busy(), busy(), Response.json(outcome))
  const failures: unknown[] = []
  const reporter = Reporter.of(client(send), (error) => failures.push(error))
  reporter.report({ type: 'open', postId: 'p' })
  await reporter.flush()
  await reporter.flush()
  await reporter.flush()
  assert.equal(failures.length, 1)
  assert.equal(requests.length, 4)
  const bodies = await Promise.all(requests.map((request) => request.text()))
  assert.equal(new Set(bodies).size, 1)
})

test('a service describes its items, finds candidates and has them ranked', async () => {
  const outcome = { created: 1, updated: 0, unchanged: 0, refused: [] }
  const found = { candidates: [{ externalId: 'sku-1', source: 'popular' }] }
  const { requests, send } = answers(
    Response.json(outcome),
    Response.json(found),
    Response.json({ items: [{ externalId: 'sku-1', position: 0 }] }),
  )
  const api = client(send)
  const person = { externalId: 'u-17' }
  const items = [{ externalId: 'sku-1', topics: ['tea'] }]
  assert.deepEqual(await putItems(api, items), outcome)
  assert.deepEqual(await candidates(api, { person }), found)
  const ranked = await rank(api, { person, candidates: [{ externalId: 'sku-1' }], limit: 1 })
  assert.equal(ranked.items[0]?.externalId, 'sku-1')
  assert.deepEqual(
    requests.map(({ method, url }) => `${method} ${new URL(url).pathname}`),
    ['PUT /v1/items', 'POST /v1/candidates', 'POST /v1/rank'],
  )
  assert.deepEqual(await requests[0]?.json(), { items })
  assert.deepEqual(await requests[1]?.json(), { person })
})
