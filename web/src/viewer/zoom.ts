/** How a picture lies in its frame: enlarged by `scale`, its centre moved by `x` and `y` pixels. */
export interface View {
  scale: number
  x: number
  y: number
}

/** A width and a height, or a distance from the centre of the frame, in CSS pixels. */
export interface Extent {
  x: number
  y: number
}

export const WHOLE: View = { scale: 1, x: 0, y: 0 }
/** The scale of one click; another click shows the whole picture again. */
export const CLICK_SCALE = 2.5
/** More would only show larger pixels, even of a 3840-pixel image. */
export const MAX_SCALE = 8

/** Multiplies the scale. The spot of the picture that is at `point`, measured from the frame's centre, stays there. */
export function zoomAt(view: View, factor: number, point: Extent, picture: Extent, frame: Extent): View {
  const scale = clamp(view.scale * factor, 1, MAX_SCALE)
  const ratio = scale / view.scale
  const x = point.x - (point.x - view.x) * ratio
  const y = point.y - (point.y - view.y) * ratio
  return within({ scale, x, y }, picture, frame)
}

export function pan(view: View, by: Extent, picture: Extent, frame: Extent): View {
  return within({ scale: view.scale, x: view.x + by.x, y: view.y + by.y }, picture, frame)
}

/** Keeps the picture's edges outside the frame; a picture that is smaller than the frame stays centred. */
function within({ scale, x, y }: View, picture: Extent, frame: Extent): View {
  const roomX = Math.max(0, (picture.x * scale - frame.x) / 2)
  const roomY = Math.max(0, (picture.y * scale - frame.y) / 2)
  return { scale, x: clamp(x, -roomX, roomX), y: clamp(y, -roomY, roomY) }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}
