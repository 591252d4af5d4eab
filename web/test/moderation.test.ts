import assert from 'node:assert/strict'
import { test } from 'node:test'
import './browser-globals'
import { commandOf, decide, idOf, type Waiting } from '../src/admin/moderation'

const key = (name: string, options: Partial<KeyboardEvent> = {}) =>
  ({ key: name, target: null, metaKey: false, ctrlKey: false, altKey: false, ...options }) as KeyboardEvent

test('keys decide and move, except with a modifier', () => {
  assert.deepEqual(
    ['a', 'r', 'j', 'ArrowUp', 'x'].map((name) => commandOf(key(name))),
    ['approve', 'reject', 'next', 'previous', null],
  )
  assert.equal(commandOf(key('a', { ctrlKey: true })), null)
  assert.equal(commandOf(key('r', { metaKey: true })), null)
})

test('each kind is decided at its own address', async () => {
  const sent: string[] = []
  globalThis.fetch = async (path, options) => {
    sent.push(`${path} ${options?.body}`)
    return Response.json({}, { status: 201 })
  }
  const items = [
    { kind: 'photo', photoId: 'p' },
    { kind: 'comment', commentId: 'c' },
    { kind: 'person', person: { id: 'u' } },
  ] as Waiting[]
  assert.deepEqual(items.map(idOf), ['p', 'c', 'u'])
  for (const item of items) await decide(item, 'reject', 'spam')
  const body = '{"decision":"reject","reason":"spam"}'
  assert.deepEqual(sent, [
    `/v1/moderation/p/decisions ${body}`,
    `/v1/moderation/comments/c/decisions ${body}`,
    `/v1/moderation/people/u/decisions ${body}`,
  ])
})
