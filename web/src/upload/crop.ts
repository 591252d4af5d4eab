/** The part of a picture that is kept: its edges as fractions of the picture's width and height. */
export interface Crop {
  left: number
  top: number
  right: number
  bottom: number
}

export type Corner = 'topLeft' | 'topRight' | 'bottomLeft' | 'bottomRight'
export const CORNERS: readonly Corner[] = ['topLeft', 'topRight', 'bottomLeft', 'bottomRight']

export const ALL: Crop = { left: 0, top: 0, right: 1, bottom: 1 }
/** No edge comes closer to the opposite one. */
export const SMALLEST = 0.1
/** How far an arrow key moves, and with Shift. */
const STEP = 0.01
const LARGE_STEP = 0.1

/** The crop after one of its corners was moved by fractions of the picture. */
export function moveCorner(crop: Crop, corner: Corner, x: number, y: number): Crop {
  const next = { ...crop }
  if (corner.endsWith('Left')) next.left = clamp(crop.left + x, 0, crop.right - SMALLEST)
  else next.right = clamp(crop.right + x, crop.left + SMALLEST, 1)
  if (corner.startsWith('top')) next.top = clamp(crop.top + y, 0, crop.bottom - SMALLEST)
  else next.bottom = clamp(crop.bottom + y, crop.top + SMALLEST, 1)
  return next
}

/** The crop after it was moved as a whole; it stays inside the picture. */
export function moveWhole({ left, top, right, bottom }: Crop, x: number, y: number): Crop {
  const byX = clamp(x, -left, 1 - right)
  const byY = clamp(y, -top, 1 - bottom)
  return { left: left + byX, top: top + byY, right: right + byX, bottom: bottom + byY }
}

/** The same part of the picture after a quarter turn clockwise. */
export function turned({ left, top, right, bottom }: Crop): Crop {
  return { left: 1 - bottom, top: left, right: 1 - top, bottom: right }
}

/** The crop in whole pixels of a picture. */
export function pixelsOf(crop: Crop, width: number, height: number) {
  const left = Math.round(crop.left * width)
  const top = Math.round(crop.top * height)
  return {
    left,
    top,
    width: Math.max(1, Math.round(crop.right * width) - left),
    height: Math.max(1, Math.round(crop.bottom * height) - top),
  }
}

/** How far a key moves a corner or the crop, as fractions; null for other keys. */
export function stepOf({ key, shiftKey }: Pick<KeyboardEvent, 'key' | 'shiftKey'>): [number, number] | null {
  const step = shiftKey ? LARGE_STEP : STEP
  switch (key) {
    case 'ArrowLeft':
      return [-step, 0]
    case 'ArrowRight':
      return [step, 0]
    case 'ArrowUp':
      return [0, -step]
    case 'ArrowDown':
      return [0, step]
    default:
      return null
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high)
}
