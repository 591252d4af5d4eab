import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MOST_TAGS, parseTags } from '../src/upload/tags'

test('tags are read the way people type them', () => {
  assert.deepEqual(parseTags('Mountains, #Morning  mountains,été#Sea'), [
    'mountains',
    'morning',
    'été',
    'sea',
  ])
  assert.deepEqual(parseTags(' , # '), [])
})

test('what the API would refuse is not sent to it', () => {
  assert.equal(parseTags('x'.repeat(60))[0]?.length, 50)
  assert.equal(parseTags(Array.from({ length: 50 }, (_, at) => `tag${at}`).join(' ')).length, MOST_TAGS)
})
