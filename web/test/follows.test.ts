import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import './browser-globals'
import { following, forgetFollows, toggleFollow } from '../src/people/follows'

const OWNER = { id: 'o', followedByMe: false, isPrivate: true }
const ASKED = () => new Response('{"requested": true}', { status: 202 })
const DONE = () => new Response(null, { status: 204 })

/** The requests that the server received; it answers when the test lets it. */
function serverThatAnswers(reply: () => Response) {
  const sent: string[] = []
  let answer = () => {}
  const allowed = new Promise<void>((resolve) => {
    answer = resolve
  })
  globalThis.fetch = async (path, options) => {
    sent.push(`${options?.method} ${path}`)
    await allowed
    return reply()
  }
  return { sent, answer }
}

beforeEach(forgetFollows)

test('following a private account sends a request, and a second press withdraws it', async () => {
  serverThatAnswers(ASKED).answer()
  await toggleFollow(OWNER)
  assert.equal(following(OWNER).value, 'requested')
  serverThatAnswers(DONE).answer()
  await toggleFollow(OWNER)
  assert.equal(following(OWNER).value, 'no')
})

test('the state follows the server’s answer, whatever the app expected', async () => {
  const stranger = { id: 's', followedByMe: false }
  const { answer } = serverThatAnswers(ASKED)
  const asking = toggleFollow(stranger)
  assert.equal(following(stranger).value, 'yes')
  answer()
  await asking
  assert.equal(following(stranger).value, 'requested')
})

test('a second press cannot overtake a pending one', async () => {
  const { sent, answer } = serverThatAnswers(ASKED)
  const presses = [toggleFollow(OWNER), toggleFollow(OWNER)]
  answer()
  await Promise.all(presses)
  assert.deepEqual(sent, ['PUT /v1/users/o/follow'])
  assert.equal(following(OWNER).value, 'requested')
})
