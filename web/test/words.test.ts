import assert from 'node:assert/strict'
import { test } from 'node:test'
import './browser-globals'
import { plainReason } from '../src/feed/why'
import { languageFor } from '../src/language'
import { loadWords, words } from '../src/words'

test('the chosen language comes before the browser’s, and English before nothing', () => {
  assert.equal(languageFor('en', ['de-AT', 'en']), 'en')
  assert.equal(languageFor(null, ['fr', 'de-AT', 'en']), 'de')
  assert.equal(languageFor(null, ['fr']), 'en')
})

test('a reason names the author as the card does', () => {
  const post = { author: { displayName: 'Ada Byron' }, topic: 'sea' }
  const reason = (reasonCode: string) => plainReason({ reasonCode, post } as never)
  assert.equal(reason('often_liked'), 'Because you often like Ada Byron')
  assert.equal(reason('likes_topic'), 'Because you like sea')
})

test('every German text contains the values of the English one', async () => {
  const samples = (texts: object): string[] =>
    Object.values(texts).flatMap((text) => {
      if (typeof text === 'function') return String(text('‹1›', '‹2›'))
      if (typeof text === 'string') return text
      return text === null ? '' : samples(text)
    })
  const english = samples(words)
  await loadWords('de')
  const german = samples(words)
  assert.equal(german.length, english.length)
  const values = (text: string) => [...new Set(text.match(/‹\d›|NaN/g))].sort()
  english.forEach((text, at) => {
    assert.deepEqual(values(german[at] ?? ''), values(text), text)
    assert.notEqual(german[at], undefined)
  })
  assert.ok(english.filter((text, at) => text !== '' && text === german[at]).length < 8)
})
