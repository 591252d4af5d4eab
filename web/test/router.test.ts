import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRoute, paths } from '../src/router'

test('every address the app writes leads back to its place', () => {
  assert.deepEqual(parseRoute(paths.feed), { page: 'feed' })
  assert.deepEqual(parseRoute(paths.upload), { page: 'upload' })
  assert.deepEqual(parseRoute(paths.people), { page: 'people' })
  assert.deepEqual(parseRoute(paths.profile('u1')), { page: 'profile', personId: 'u1', postId: null })
  assert.deepEqual(parseRoute(paths.post('u1', 'p1')), { page: 'profile', personId: 'u1', postId: 'p1' })
})

test('an address from nowhere is the feed', () => {
  assert.deepEqual(parseRoute(''), { page: 'feed' })
  assert.deepEqual(parseRoute('#/no/such/place'), { page: 'feed' })
})
