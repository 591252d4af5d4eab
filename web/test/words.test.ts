import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import './browser-globals'
import { plainReason } from '../src/feed/why'
import { languageFor } from '../src/language'
import { germanRefusals } from '../src/refusals-de'
import { loadWords, translatedRefusal, words } from '../src/words'

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

test('every refusal of a call that the app can make has a German sentence', async () => {
  const codes = await refusalsOfPeople()
  assert.ok(codes.size > 40)
  assert.deepEqual(
    [...codes].filter((code) => !(code in germanRefusals)),
    [],
  )
})

test('a refusal without a sentence keeps that of the server', async () => {
  await loadWords('de')
  assert.equal(translatedRefusal('blocked', 'said'), germanRefusals['blocked'])
  assert.equal(translatedRefusal('made_up', 'said'), 'said')
})

/** The codes of problems at operations that do not need the token of a service. */
async function refusalsOfPeople(): Promise<Set<string>> {
  const file = new URL('../../docs/openapi.json', import.meta.url)
  const { paths } = JSON.parse(await readFile(file, 'utf8')) as {
    paths: Record<string, Record<string, Operation>>
  }
  return new Set(
    Object.values(paths)
      .flatMap((operations) => Object.values(operations))
      .filter(
        ({ security = [] }) =>
          security.length > 0 && !security.flatMap(Object.values).flat().includes('service'),
      )
      .flatMap(({ responses }) => Object.values(responses))
      .flatMap(({ content }) => Object.keys(content?.['application/problem+json']?.examples ?? {})),
  )
}

interface Operation {
  security?: Record<string, string[]>[]
  responses: Record<string, { content?: Record<string, { examples?: object }> }>
}
