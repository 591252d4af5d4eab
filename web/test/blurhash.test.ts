import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeBlurhash } from '../src/photo/blurhash'

/** Made by blurhash-python from a photo: the browser must read what the photo worker writes. */
const HASH = 'L^J[SD.8Rjja?wxujYofbcM{j?og'
const EXPECTED: [x: number, y: number, rgb: number[]][] = [
  [0, 0, [245, 255, 255]],
  [7, 0, [180, 190, 209]],
  [3, 3, [203, 207, 209]],
  [0, 5, [122, 130, 126]],
  [7, 5, [67, 0, 0]],
]

test('the placeholder has the colours that the server encoded', () => {
  const pixels = decodeBlurhash(HASH, 8, 6)
  assert.equal(pixels.length, 8 * 6 * 4)
  for (const [x, y, rgb] of EXPECTED) {
    const at = (y * 8 + x) * 4
    rgb.forEach((value, channel) => {
      assert.ok(Math.abs((pixels[at + channel] ?? 0) - value) <= 1, `${x},${y}: ${pixels.slice(at, at + 3)}`)
    })
    assert.equal(pixels[at + 3], 255)
  }
})

test('a single component is one flat colour', () => {
  const pixels = decodeBlurhash('00OZZy', 2, 2)
  assert.deepEqual([...pixels.slice(0, 4)], [...pixels.slice(12, 16)])
})

test('a string that is not a blurhash is refused', () => {
  assert.throws(() => decodeBlurhash('', 4, 4), RangeError)
  assert.throws(() => decodeBlurhash(HASH.slice(0, -2), 4, 4), RangeError)
  assert.throws(() => decodeBlurhash(HASH.replace('^', ' '), 4, 4), RangeError)
})
