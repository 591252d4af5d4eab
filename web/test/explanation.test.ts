import assert from 'node:assert/strict'
import { test } from 'node:test'
import './browser-globals'
import { explain, featureRows, postIdOf, type Ranking } from '../src/admin/explanation'

test('a post is named by its id or its address', () => {
  assert.equal(postIdOf(' 15OGRpnNiJv '), '15OGRpnNiJv')
  assert.equal(postIdOf('https://photos.example/p/15OGRpnNiJv?x#y'), '15OGRpnNiJv')
  assert.equal(postIdOf('/p/15OGRpnNiJv/likes'), '15OGRpnNiJv')
})

test('a handle may be written with an @, and each ranker is asked for once', async () => {
  const asked: string[] = []
  globalThis.fetch = async (path) => {
    asked.push(`${path}`)
    return Response.json({})
  }
  const { signal } = new AbortController()
  await explain({ handle: ' @Ada ', post: '', rankers: ['champion', 'champion'] }, signal)
  await explain({ handle: 'ada', post: '/p/1', rankers: ['champion', 'recency'] }, signal)
  assert.deepEqual(asked, [
    '/v1/admin/explanation?handle=ada&ranker=champion',
    '/v1/admin/explanation?handle=ada&postId=1&ranker=champion&ranker=recency',
  ])
})

test('features of two models stand side by side, also those that one lacks', () => {
  const ranking = (...features: [string, number][]) =>
    ({ post: { features: features.map(([name, value]) => ({ name, value })) } }) as Ranking
  assert.deepEqual(featureRows([ranking(['age', 1], ['likes', 2]), ranking(['age', 3], ['saves', 4])]), [
    { name: 'age', values: [1, 3] },
    { name: 'likes', values: [2, null] },
    { name: 'saves', values: [null, 4] },
  ])
  assert.deepEqual(featureRows([{ post: null } as Ranking]), [])
})
