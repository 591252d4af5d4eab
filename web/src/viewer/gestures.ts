import { CLICK_SCALE, type Extent, pan, type View, WHOLE, zoomAt } from './zoom'

/** What the fingers, the mouse or the wheel did to the picture. */
export interface GestureTarget {
  view(): View
  show(view: View): void
  /** Sizes of the whole picture and of its frame, and the frame's centre on the screen. */
  measure(): { picture: Extent; frame: Extent; centre: Extent }
  /** -1 to the previous picture, 1 to the next. */
  step(direction: -1 | 1): void
  close(): void
}

/** A finger that moves less has tapped. */
const TAP_PX = 8
const SWIPE_PX = 60
const DOUBLE_TAP_MS = 320
const WHEEL_STEP = 1.0015

/** Turns pointer events into zooming, panning and swiping. */
export class Gestures {
  private readonly fingers = new Map<number, Extent>()
  private start: Extent = { x: 0, y: 0 }
  private moved = false
  private pinched = false
  private lastTapAt = Number.NEGATIVE_INFINITY

  constructor(private readonly target: GestureTarget) {}

  down(event: PointerEvent): void {
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY })
    if (this.fingers.size > 1) {
      this.pinched = true
      return
    }
    this.start = { x: event.clientX, y: event.clientY }
    this.moved = false
    this.pinched = false
  }

  move(event: PointerEvent): void {
    const before = this.fingers.get(event.pointerId)
    if (!before) return
    const now = { x: event.clientX, y: event.clientY }
    const { picture, frame, centre } = this.target.measure()
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1]
    this.fingers.set(event.pointerId, now)
    if (other) {
      const factor = distance(now, other) / Math.max(1, distance(before, other))
      const middle = { x: (now.x + other.x) / 2 - centre.x, y: (now.y + other.y) / 2 - centre.y }
      this.target.show(zoomAt(this.target.view(), factor, middle, picture, frame))
      return
    }
    if (distance(now, this.start) > TAP_PX) this.moved = true
    if (this.target.view().scale > 1) {
      const by = { x: now.x - before.x, y: now.y - before.y }
      this.target.show(pan(this.target.view(), by, picture, frame))
    }
  }

  up(event: PointerEvent): void {
    if (!this.fingers.delete(event.pointerId) || this.fingers.size > 0 || this.pinched) return
    if (!this.moved) this.tap(event)
    else if (this.target.view().scale === 1 && event.pointerType !== 'mouse') this.swipe(event)
  }

  cancel(event: PointerEvent): void {
    this.fingers.delete(event.pointerId)
  }

  wheel(event: WheelEvent): void {
    this.zoomBy(WHEEL_STEP ** -event.deltaY, { x: event.clientX, y: event.clientY })
  }

  /** Zooms at a point of the screen, or at the centre of the frame. */
  zoomBy(factor: number, at?: Extent): void {
    const { picture, frame, centre } = this.target.measure()
    const point = at ? { x: at.x - centre.x, y: at.y - centre.y } : { x: 0, y: 0 }
    this.target.show(zoomAt(this.target.view(), factor, point, picture, frame))
  }

  /** A click of a mouse, or two taps of a finger, change between the whole picture and a detail. */
  private tap(event: PointerEvent): void {
    const isSecond = event.timeStamp - this.lastTapAt < DOUBLE_TAP_MS
    this.lastTapAt = isSecond ? Number.NEGATIVE_INFINITY : event.timeStamp
    if (event.pointerType !== 'mouse' && !isSecond) return
    if (this.target.view().scale > 1) this.target.show(WHOLE)
    else this.zoomBy(CLICK_SCALE, { x: event.clientX, y: event.clientY })
  }

  private swipe(event: PointerEvent): void {
    const x = event.clientX - this.start.x
    const y = event.clientY - this.start.y
    if (Math.abs(x) > SWIPE_PX && Math.abs(x) > Math.abs(y)) this.target.step(x > 0 ? -1 : 1)
    else if (y > 2 * SWIPE_PX && y > Math.abs(x)) this.target.close()
  }
}

function distance(a: Extent, b: Extent): number {
  return Math.hypot(a.x - b.x, a.y - b.y)
}
