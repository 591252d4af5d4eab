const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~'

type Rgb = readonly [number, number, number]

/**
 * Decodes a blurhash into RGBA bytes, row by row, `width × height × 4` of them.
 *
 * A blurhash is a coarse cosine transform in linear light: one average colour and a few waves. The cost grows with the
 * area, so decode it about 32 pixels wide and let the browser scale it up.
 *
 * @throws RangeError when the string is not a blurhash
 */
export function decodeBlurhash(hash: string, width: number, height: number): Uint8ClampedArray<ArrayBuffer> {
  const { columns, rows, colours } = readComponents(hash)
  const horizontal = cosines(columns, width)
  const vertical = cosines(rows, height)
  const pixels = new Uint8ClampedArray(width * height * 4)
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let [red, green, blue] = [0, 0, 0]
      for (let row = 0, component = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++, component++) {
          const weight = (horizontal[column * width + x] ?? 0) * (vertical[row * height + y] ?? 0)
          const colour = colours[component] ?? [0, 0, 0]
          red += colour[0] * weight
          green += colour[1] * weight
          blue += colour[2] * weight
        }
      }
      pixels[at++] = toSrgb(red)
      pixels[at++] = toSrgb(green)
      pixels[at++] = toSrgb(blue)
      pixels[at++] = 255
    }
  }
  return pixels
}

function readComponents(hash: string): { columns: number; rows: number; colours: Rgb[] } {
  if (hash.length < 6) throw new RangeError('a blurhash has at least 6 characters')
  const size = readBase83(hash, 0, 1)
  const columns = (size % 9) + 1
  const rows = Math.floor(size / 9) + 1
  if (hash.length !== 4 + 2 * columns * rows) {
    throw new RangeError(
      `a ${columns}×${rows} blurhash has ${4 + 2 * columns * rows} characters, not ${hash.length}`,
    )
  }
  const largest = (readBase83(hash, 1, 2) + 1) / 166
  const average = readBase83(hash, 2, 6)
  const colours: Rgb[] = [[toLinear(average >> 16), toLinear((average >> 8) & 255), toLinear(average & 255)]]
  for (let at = 6; at < hash.length; at += 2) {
    const value = readBase83(hash, at, at + 2)
    const wave = (digit: number) => Math.sign(digit - 9) * ((digit - 9) / 9) ** 2 * largest
    colours.push([wave(Math.floor(value / 361)), wave(Math.floor(value / 19) % 19), wave(value % 19)])
  }
  return { columns, rows, colours }
}

function readBase83(hash: string, from: number, to: number): number {
  let value = 0
  for (const character of hash.slice(from, to)) {
    const digit = DIGITS.indexOf(character)
    if (digit < 0) throw new RangeError(`“${character}” is not a digit of a blurhash`)
    value = value * 83 + digit
  }
  return value
}

/** cos(π · frequency · position / size), laid out frequency by frequency. */
function cosines(frequencies: number, size: number): Float64Array {
  return Float64Array.from({ length: frequencies * size }, (_, at) =>
    Math.cos((Math.PI * Math.floor(at / size) * (at % size)) / size),
  )
}

function toLinear(byte: number): number {
  const value = byte / 255
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
}

function toSrgb(linear: number): number {
  const value = Math.min(1, Math.max(0, linear))
  return Math.round(255 * (value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055))
}
