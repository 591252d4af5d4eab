import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import './browser-globals'
import { Problem } from 'photofeed-client'
import {
  api,
  isModerator,
  loadSession,
  session,
  sessionEnded,
  signInAs,
  signInWithToken,
  signOut,
} from '../src/session'
import { showError, showToast, toasts } from '../src/shell/toasts'

const ADA = { id: 'u', handle: 'ada', displayName: 'Ada', avatarUrl: null }
const BOB = { ...ADA, id: 'b', handle: 'bob', displayName: 'Bob' }
const WAYS = { provider: true, demo: true }
const EXPIRED = () => Response.json({ detail: 'Expired.', code: 'unauthenticated' }, { status: 401 })

/** Who the browser's cookie stands for, in this fake server; null without a session. */
let signedIn: typeof ADA | null
let asked: string[]
let refuseOnce: boolean
beforeEach(() => {
  signedIn = null
  asked = []
  refuseOnce = false
  globalThis.fetch = async (path, options) => {
    asked.push(`${options?.method} ${path}`)
    assert.equal(new Headers(options?.headers).get('x-photofeed-app'), 'web')
    if (path === '/v1/dev/tokens') return Response.json({ token: 'demo' })
    if (path === '/v1/session' && options?.method === 'DELETE') {
      signedIn = null
      return Response.json({ providerUrl: null })
    }
    if (path === '/v1/session') {
      if (options?.method === 'POST') signedIn = ADA
      return Response.json({ person: signedIn, roles: signedIn ? ['user'] : [], signIn: WAYS })
    }
    if (refuseOnce) {
      refuseOnce = false
      return EXPIRED()
    }
    return signedIn ? Response.json({ items: [] }) : EXPIRED()
  }
  toasts.value = []
})

test('an expired session leads to sign-in with its reason, without an error message', async () => {
  await signInWithToken('pasted')
  signedIn = null
  await api.get('/feed').catch(showError)
  assert.equal(session.value, null)
  assert.equal(sessionEnded.value, true)
  assert.deepEqual(toasts.value, [])
  await signInAs(ADA)
  assert.equal(sessionEnded.value, false)
})

test('signing out is no expiry, and nothing of a session is stored', async () => {
  await signInAs(ADA)
  assert.equal(localStorage.length, 0)
  await signOut()
  assert.deepEqual([session.value, sessionEnded.value], [null, false])
})

test('a token that an earlier version stored is removed', async () => {
  localStorage.setItem('photofeed.session', '{"token":"old"}')
  await loadSession()
  assert.equal(localStorage.length, 0)
})

test('requests that are refused together ask once who is signed in', async () => {
  await signInAs(ADA)
  signedIn = null
  asked = []
  await Promise.allSettled([api.get('/feed'), api.get('/me'), api.get('/explore')])
  assert.equal(asked.filter((one) => one === 'GET /v1/session').length, 1)
})

test('a refused request of a session that goes on is sent again', async () => {
  await signInAs(ADA)
  refuseOnce = true
  assert.deepEqual(await api.get('/feed'), { items: [] })
  assert.equal(session.value?.person.id, ADA.id)
})

test('somebody else who signed in in another tab takes over, and the request is not sent for them', async () => {
  await signInAs(ADA)
  signedIn = BOB
  refuseOnce = true
  await assert.rejects(api.get('/feed'), { status: 401 })
  assert.equal(session.value?.person.id, BOB.id)
  assert.equal(sessionEnded.value, false)
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

test('a session with the role says that its user may moderate', () => {
  for (const [roles, expected] of [
    [['moderator', 'user'], true],
    [['user'], false],
  ] as const) {
    session.value = { person: ADA, roles }
    assert.equal(isModerator(), expected)
  }
})
