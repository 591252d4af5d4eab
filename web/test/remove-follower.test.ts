import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from 'photofeed-client'
import { removeFollower } from '../src/people/remove-follower'

function serverThat(answers: () => Promise<unknown>, happened: unknown[]) {
  return {
    delete: <T>(path: string) => {
      happened.push(path)
      return answers() as Promise<T>
    },
  }
}

test('a removed follower disappears at once, and the server receives their id', async () => {
  const happened: unknown[] = []
  const server = serverThat(async () => undefined, happened)
  await removeFollower(server, 'x', (followsMe) => happened.push(followsMe))
  assert.deepEqual(happened, [false, '/me/followers/x'])
})

test('a refusal shows the follower again, and is passed on', async () => {
  const happened: unknown[] = []
  const server = serverThat(() => Promise.reject(new Problem(0, 'unreachable', 'No reply.')), happened)
  const removing = removeFollower(server, 'x', (followsMe) => happened.push(followsMe))
  await assert.rejects(removing, { name: 'Problem' })
  assert.deepEqual(happened, [false, '/me/followers/x', true])
})
