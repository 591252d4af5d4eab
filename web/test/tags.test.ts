import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_TAGS, parseTags } from '../src/upload/tags'

test('tags are read the way people type them', () => {
  assert.deepEqual(parseTags('Mountains, #Morning  mountains,été#Sea'), [
    'mountains',
    'morning',
    'été',
    'sea',
  ])
  assert.deepEqual(parseTags(' , # '), [])
})

test('tags that the API would refuse are not sent', () => {
  assert.equal(parseTags('x'.repeat(60))[0]?.length, 50)
  assert.equal(parseTags(Array.from({ length: 50 }, (_, at) => `tag${at}`).join(' ')).length, MAX_TAGS)
})
