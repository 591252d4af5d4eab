import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../src/api/problem'
import { removeFollower } from '../src/people/remove-follower'

function serverThat(answers: () => Promise<unknown>, happened: unknown[]) {
  return {
    delete: <T>(path: string) => {
      happened.push(path)
      return answers() as Promise<T>
    },
  }
}

test('a follower who is removed is gone at once, and the server is told whom', async () => {
  const happened: unknown[] = []
  const server = serverThat(async () => undefined, happened)
  await removeFollower(server, 'x', (followsMe) => happened.push(followsMe))
  assert.deepEqual(happened, [false, '/me/followers/x'])
})

test('where the server says no the follower is shown again, and the words are told', async () => {
  const happened: unknown[] = []
  const server = serverThat(() => Promise.reject(Problem.unreachable()), happened)
  const removing = removeFollower(server, 'x', (followsMe) => happened.push(followsMe))
  await assert.rejects(removing, { name: 'Problem' })
  assert.deepEqual(happened, [false, '/me/followers/x', true])
})
