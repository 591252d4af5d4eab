import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_SCALE, pan, WHOLE, zoomAt } from '../src/viewer/zoom'

const PICTURE = { x: 800, y: 400 }
const FRAME = { x: 800, y: 600 }

test('the spot under the pointer stays there', () => {
  const point = { x: 200, y: 100 }
  const view = zoomAt(WHOLE, 4, point, PICTURE, FRAME)
  assert.deepEqual(view, { scale: 4, x: -600, y: -300 })
  const spot = { x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale }
  assert.deepEqual(spot, point)
})

test('the picture never leaves its frame, and is never smaller than whole', () => {
  assert.deepEqual(pan({ scale: 2, x: 0, y: 0 }, { x: 9999, y: -9999 }, PICTURE, FRAME), {
    scale: 2,
    x: 400,
    y: -100,
  })
  const back = zoomAt({ scale: 3, x: 300, y: 0 }, 0.01, { x: 0, y: 0 }, PICTURE, FRAME)
  assert.deepEqual([back.scale, Math.abs(back.x), Math.abs(back.y)], [1, 0, 0])
  assert.equal(zoomAt(WHOLE, 1000, { x: 0, y: 0 }, PICTURE, FRAME).scale, MAX_SCALE)
})
