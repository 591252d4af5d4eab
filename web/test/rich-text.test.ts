import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Part, partsOf } from '../src/post/rich-text'

const links = (text: string) =>
  partsOf(text).flatMap((part: Part) => {
    if (part.kind === 'tag') return `#${part.tag}`
    if (part.kind === 'mention') return `@${part.handle}`
    return part.kind === 'url' ? part.url : []
  })

test('tags, people and addresses become links', () => {
  assert.deepEqual(links('With @Chidi.Stills at #Sea, see https://a.example/x?y=1.'), [
    '@chidi.stills',
    '#sea',
    'https://a.example/x?y=1',
  ])
  assert.deepEqual(links('#été #été2 (#night)'), ['#été', '#été2', '#night'])
})

test('the parts together are the text', () => {
  for (const text of [
    '',
    'plain',
    '@a.b. and #c! https://x.example/).',
    'a@b.example',
    '## @@ https://',
    '#a#b',
  ])
    assert.equal(
      partsOf(text)
        .map((part) => part.text)
        .join(''),
      text,
    )
})

test('signs inside words and scripts start nothing', () => {
  assert.deepEqual(links('me@mail.example a#b javascript:alert(1) &#39; @x'), [])
})
