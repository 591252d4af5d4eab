import assert from 'node:assert/strict'
import { test } from 'node:test'
import './browser-globals'
import { bySystem, replay, rollBack } from '../src/admin/operations'

const finding = (name: string, level: 'ok' | 'warning' | 'wrong') => ({ name, level, text: '', mend: null })

test('a system is as bad as the worst of its findings, and the worst comes first', () => {
  const systems = bySystem([
    finding('postgres.version', 'ok'),
    finding('redis.version', 'ok'),
    finding('redis.policy', 'wrong'),
    finding('redis.memory', 'warning'),
    finding('kafka.topics', 'warning'),
  ])
  assert.deepEqual(
    systems.map(({ name, level, findings }) => [name, level, findings.length]),
    [
      ['redis', 'wrong', 3],
      ['kafka', 'warning', 1],
      ['postgres', 'ok', 1],
    ],
  )
})

test('a rollback sends its reason, and a replay names its letter', async () => {
  const sent: string[] = []
  globalThis.fetch = async (path, options) => {
    sent.push(`${path} ${options?.body ?? ''}`)
    return Response.json({}, { status: 201 })
  }
  await rollBack(' worse ')
  await replay('a/b')
  assert.deepEqual(sent, [
    '/v1/admin/model/rollback {"reason":"worse"}',
    '/v1/admin/dead-letters/a%2Fb/replay ',
  ])
})
