import { type Crop, pixelsOf } from './crop'

/** What the browser can write, by what it was; everything else becomes JPEG. */
const TYPES: Readonly<Record<string, string>> = { 'image/png': 'image/png', 'image/webp': 'image/webp' }
const ENDINGS: Readonly<Record<string, string>> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
}
const QUALITY = 0.95
const QUARTER = Math.PI / 2

/** The type and the name of an edited file. A browser may write PNG if it cannot write the type: `written` decides. */
export function typeFor({ type }: Pick<File, 'type'>): string {
  return TYPES[type] ?? 'image/jpeg'
}

export function nameFor({ name }: Pick<File, 'name'>, written: string): string {
  return `${name.replace(/\.[^.]*$/, '')}.${ENDINGS[written] ?? 'png'}`
}

/** The size of a picture after quarter turns. */
export function sizeAfter({ width, height }: { width: number; height: number }, turns: number) {
  return turns % 2 === 0 ? { width, height } : { width: height, height: width }
}

/** Draws the cropped part of a picture after quarter turns clockwise, scaled to fill the canvas. */
export function draw(canvas: HTMLCanvasElement, picture: ImageBitmap, turns: number, crop: Crop): void {
  const { width, height } = sizeAfter(picture, turns)
  const part = pixelsOf(crop, width, height)
  const context = canvas.getContext('2d')
  if (!context) return
  context.setTransform(canvas.width / part.width, 0, 0, canvas.height / part.height, 0, 0)
  context.translate(-part.left, -part.top)
  // The corner of the picture that is at the top left after the turns.
  context.translate(turns === 1 || turns === 2 ? width : 0, turns >= 2 ? height : 0)
  context.rotate(turns * QUARTER)
  context.drawImage(picture, 0, 0)
}

/** The picture of a file, upright as its EXIF data says. Throws for files that the browser cannot decode. */
export function decode(file: File): Promise<ImageBitmap> {
  return createImageBitmap(file, { imageOrientation: 'from-image' })
}

/**
 * The file with the cropped part of its picture, in full resolution; null if the picture is too large for a canvas of
 * this browser. It has none of the metadata of the original, so its orientation is that of its pixels.
 */
export async function editedFile(
  file: File,
  picture: ImageBitmap,
  turns: number,
  crop: Crop,
): Promise<File | null> {
  const whole = sizeAfter(picture, turns)
  const { width, height } = pixelsOf(crop, whole.width, whole.height)
  const canvas = Object.assign(document.createElement('canvas'), { width, height })
  draw(canvas, picture, turns, crop)
  const blob = await new Promise<Blob | null>((resolve) => {
    canvas.toBlob(resolve, typeFor(file), QUALITY)
  })
  return blob && new File([blob], nameFor(file, blob.type), { type: blob.type })
}
