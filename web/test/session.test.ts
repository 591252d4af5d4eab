import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import './browser-globals'
import { Problem } from 'photofeed-client'
import { api, isModerator, session, sessionEnded, signInAs, signInWithToken, signOut } from '../src/session'
import { showError, showToast, toasts } from '../src/shell/toasts'

const ADA = {
  id: 'u',
  handle: 'ada',
  displayName: 'Ada',
  avatarUrl: null,
  followerCount: 0,
  followingCount: 0,
}
const EXPIRED = () => Response.json({ detail: 'Expired.', code: 'unauthenticated' }, { status: 401 })

let tokens: number
let valid: Set<string>
beforeEach(() => {
  tokens = 0
  valid = new Set(['pasted'])
  globalThis.fetch = async (path, options) => {
    if (path === '/v1/dev/tokens') {
      tokens += 1
      valid.add(`demo${tokens}`)
      return Response.json({ token: `demo${tokens}` })
    }
    const token = new Headers(options?.headers).get('authorization')?.replace('Bearer ', '') ?? ''
    return valid.has(token) ? Response.json(ADA) : EXPIRED()
  }
  toasts.value = []
})

test('an expired session leads to sign-in with its reason, without an error message', async () => {
  await signInWithToken('pasted')
  valid.clear()
  await api.get('/feed').catch(showError)
  assert.equal(session.value, null)
  assert.equal(sessionEnded.value, true)
  assert.deepEqual(toasts.value, [])
  await signInAs(ADA)
  assert.equal(sessionEnded.value, false)
})

test('signing out is no expiry', async () => {
  await signInAs(ADA)
  signOut()
  assert.deepEqual([session.value, sessionEnded.value], [null, false])
})

test('requests of a demo session that fail together renew its token once', async () => {
  await signInAs(ADA)
  valid.clear()
  await Promise.all([api.get('/feed'), api.get('/me'), api.get('/explore')])
  assert.equal(tokens, 2)
  assert.equal(session.value?.token, 'demo2')
})

test('a message that comes again is shown anew', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  showToast('Offline')
  const first = toasts.value[0]?.id
  showToast('Offline')
  assert.equal(toasts.value.length, 1)
  assert.notEqual(toasts.value[0]?.id, first)
  showError(new Problem(503, 'unavailable', 'Later'))
  assert.deepEqual(
    toasts.value.map(({ text }) => text),
    ['Offline', 'Later'],
  )
  mock.timers.reset()
})

test('a token with the scope says that its user may moderate', async () => {
  const tokenOf = (claims: object) => `e30.${btoa(JSON.stringify(claims))}.sig`
  for (const [token, expected] of [
    [tokenOf({ scope: 'user moderator' }), true],
    [tokenOf({ scope: 'user' }), false],
    [tokenOf({ scope: ['moderator'] }), false],
    ['opaque', false],
  ] as const) {
    session.value = { person: ADA, token, demo: false }
    assert.equal(isModerator(), expected)
  }
})
