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

test('more tags than a post may have are left out', () => {
  assert.equal(parseTags(Array.from({ length: 20 }, (_, at) => `tag${at}`).join(' ')).length, MOST_TAGS)
})
