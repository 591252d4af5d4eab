import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL, type Crop, moveCorner, moveWhole, pixelsOf, SMALLEST, stepOf, turned } from '../src/upload/crop'
import { nameFor, sizeAfter, typeFor } from '../src/upload/edited-file'

const QUARTER: Crop = { left: 0, top: 0, right: 0.5, bottom: 0.5 }

test('a corner moves its two edges, stays inside the picture and leaves a part of it', () => {
  assert.deepEqual(moveCorner(ALL, 'topLeft', 0.25, 0.5), { left: 0.25, top: 0.5, right: 1, bottom: 1 })
  assert.deepEqual(moveCorner(ALL, 'bottomRight', 0.5, -0.25), { left: 0, top: 0, right: 1, bottom: 0.75 })
  assert.deepEqual(moveCorner(ALL, 'topRight', -5, 5), {
    left: 0,
    top: 1 - SMALLEST,
    right: SMALLEST,
    bottom: 1,
  })
})

test('the frame as a whole keeps its size at the edges of the picture', () => {
  assert.deepEqual(moveWhole(QUARTER, 0.25, 9), { left: 0.25, top: 0.5, right: 0.75, bottom: 1 })
  assert.deepEqual(moveWhole(ALL, 0.5, -0.5), ALL)
})

test('a quarter turn clockwise takes the top left part to the top right, and four turns change nothing', () => {
  assert.deepEqual(turned(QUARTER), { left: 0.5, top: 0, right: 1, bottom: 0.5 })
  assert.deepEqual(turned(turned(turned(turned(QUARTER)))), QUARTER)
})

test('pixels are whole, at least one, and those of the turned picture', () => {
  assert.deepEqual(sizeAfter({ width: 40, height: 30 }, 3), { width: 30, height: 40 })
  assert.deepEqual(pixelsOf({ left: 1 / 3, top: 0, right: 1, bottom: 0.5 }, 10, 7), {
    left: 3,
    top: 0,
    width: 7,
    height: 4,
  })
  assert.equal(pixelsOf({ ...ALL, right: SMALLEST }, 3, 3).width, 1)
})

test('arrow keys move, farther with Shift; other keys do not', () => {
  assert.deepEqual(stepOf({ key: 'ArrowLeft', shiftKey: false }), [-0.01, 0])
  assert.deepEqual(stepOf({ key: 'ArrowDown', shiftKey: true }), [0, 0.1])
  assert.equal(stepOf({ key: 'Tab', shiftKey: false }), null)
})

test('an edited file has the type that browsers write, and a name that says so', () => {
  assert.deepEqual(
    ['image/png', 'image/webp', 'image/avif', ''].map((type) => typeFor({ type })),
    ['image/png', 'image/webp', 'image/jpeg', 'image/jpeg'],
  )
  assert.equal(nameFor({ name: 'a.b.AVIF' }, 'image/jpeg'), 'a.b.jpg')
  assert.equal(nameFor({ name: 'plain' }, 'image/png'), 'plain.png')
})
