import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiClient } from '../src/api/client'
import { Problem } from '../src/api/problem'

const GOOD = { token: () => 'good', renew: async () => false }

function problemReply(status: number, body: object): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  })
}

function clientThatGets(reply: () => Response): ApiClient {
  return new ApiClient(GOOD, '/v1', async () => reply())
}

test('a problem reply is thrown in the server’s own words', async () => {
  const client = clientThatGets(() =>
    problemReply(409, {
      title: 'Conflict',
      detail: 'Upload the photo before completing it.',
      code: 'not_uploaded',
    }),
  )
  await assert.rejects(client.post('/photos/x/complete'), (error) => {
    assert.ok(error instanceof Problem)
    assert.equal(error.status, 409)
    assert.equal(error.code, 'not_uploaded')
    assert.equal(error.detail, 'Upload the photo before completing it.')
    assert.equal(error.isTransient, false)
    return true
  })
})

test('a proxy’s HTML page is told by its status, not shown', async () => {
  const client = clientThatGets(
    () =>
      new Response('<h1>oops</h1>', {
        status: 502,
        statusText: 'Bad Gateway',
        headers: { 'content-type': 'text/html' },
      }),
  )
  await assert.rejects(client.get('/feed'), (error) => {
    assert.ok(error instanceof Problem)
    assert.equal(error.detail, 'The server answered 502 Bad Gateway')
    assert.equal(error.isTransient, true)
    return true
  })
})

test('no reply at all is a problem that may pass', async () => {
  const client = new ApiClient(GOOD, '/v1', async () => {
    throw new TypeError('fetch failed')
  })
  await assert.rejects(client.get('/feed'), { name: 'Problem', status: 0, code: 'unreachable' })
})

test('an aborted request stays an abort, so that it is not shown as an error', async () => {
  const client = new ApiClient(GOOD, '/v1', async () => {
    throw new DOMException('gone', 'AbortError')
  })
  await assert.rejects(client.get('/feed'), { name: 'AbortError' })
})

test('a token that ran out is renewed once and the request sent again', async () => {
  let token = 'old'
  const sent: (string | null)[] = []
  const client = new ApiClient(
    {
      token: () => token,
      renew: async () => {
        token = 'new'
        return true
      },
    },
    '/v1',
    async (_url, init) => {
      const authorization = new Headers(init?.headers).get('authorization')
      sent.push(authorization)
      return authorization === 'Bearer new'
        ? Response.json({ id: 'me' })
        : problemReply(401, { detail: 'Expired.' })
    },
  )
  assert.deepEqual(await client.get('/me'), { id: 'me' })
  assert.deepEqual(sent, ['Bearer old', 'Bearer new'])
})

test('a reply without a body is undefined, not a parse error', async () => {
  const client = clientThatGets(() => new Response(null, { status: 204 }))
  assert.equal(await client.put('/users/x/follow'), undefined)
})
