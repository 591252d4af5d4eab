import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'

Object.assign(globalThis, { localStorage: { getItem: () => null } })
const { following, forgetFollows, toggleFollow } = await import('../src/people/follows')

const OWNER = { id: 'o', followedByMe: false, isPrivate: true }
const ASKED = () => new Response('{"requested": true}', { status: 202 })
const DONE = () => new Response(null, { status: 204 })

/** What the server was told; it answers when it is let. */
function serverThatAnswers(reply: () => Response) {
  const told: string[] = []
  let answer = () => {}
  const allowed = new Promise<void>((resolve) => {
    answer = resolve
  })
  globalThis.fetch = async (path, options) => {
    told.push(`${options?.method} ${path}`)
    await allowed
    return reply()
  }
  return { told, answer }
}

beforeEach(forgetFollows)

test('a private account is asked, and asked no more once one takes that back', async () => {
  serverThatAnswers(ASKED).answer()
  await toggleFollow(OWNER)
  assert.equal(following(OWNER).value, 'asked')
  serverThatAnswers(DONE).answer()
  await toggleFollow(OWNER)
  assert.equal(following(OWNER).value, 'no')
})

test('what is shown is what the server made of it, whatever the app took the account for', async () => {
  const stranger = { id: 's', followedByMe: false }
  const { answer } = serverThatAnswers(ASKED)
  const asking = toggleFollow(stranger)
  assert.equal(following(stranger).value, 'yes')
  answer()
  await asking
  assert.equal(following(stranger).value, 'asked')
})

test('a second press while the first is under way cannot overtake it', async () => {
  const { told, answer } = serverThatAnswers(ASKED)
  const presses = [toggleFollow(OWNER), toggleFollow(OWNER)]
  answer()
  await Promise.all(presses)
  assert.deepEqual(told, ['PUT /v1/users/o/follow'])
  assert.equal(following(OWNER).value, 'asked')
})
