import assert from 'node:assert/strict'
import { test } from 'node:test'
import { relativeTime } from '../src/shell/relative-time'

const NOW = new Date('2026-06-15T12:00:00Z')
const secondsAgo = (seconds: number) => relativeTime(new Date(NOW.getTime() - seconds * 1000), NOW, 'en-GB')

test('the age of a post is shown in its largest unit', () => {
  assert.equal(secondsAgo(0), 'now')
  assert.equal(secondsAgo(59), 'now')
  assert.equal(secondsAgo(60), '1 min')
  assert.equal(secondsAgo(3599), '59 min')
  assert.equal(secondsAgo(3600), '1 h')
  assert.equal(secondsAgo(86_399), '23 h')
  assert.equal(secondsAgo(86_400), '1 d')
  assert.equal(secondsAgo(6.9 * 86_400), '6 d')
})

test('after a week the date is shown, with the year if it is not the current one', () => {
  assert.equal(secondsAgo(10 * 86_400), '5 Jun')
  assert.equal(secondsAgo(365 * 86_400), '15 Jun 2025')
})

test('a clock that is ahead does not show negative ages', () => {
  assert.equal(secondsAgo(-30), 'now')
})
