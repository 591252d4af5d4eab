// The typical image pipeline with sharp: every size from the original, default encoder effort.
import { readFile } from 'node:fs/promises'
import { encode } from 'blurhash'
import sharp from 'sharp'

sharp.concurrency(1)
sharp.cache(false)

const SIZES = [
  { width: 3840, height: 3840, fit: 'inside' },
  { width: 1080 },
  { width: 640 },
  { width: 320, height: 320, fit: 'cover' },
  { width: 150, height: 150, fit: 'cover' },
]

async function process(photo) {
  for (const size of SIZES) {
    const resized = () => sharp(photo).rotate().resize({ ...size, withoutEnlargement: true })
    await resized().jpeg({ quality: 82 }).toBuffer()
    await resized().webp({ quality: 80 }).toBuffer()
  }
  const small = await sharp(photo).rotate().resize(32, 32, { fit: 'fill' }).ensureAlpha().raw().toBuffer()
  encode(new Uint8ClampedArray(small), 32, 32, 4, 3)
  await sharp(await sharp(photo).resize(150, 150).png().toBuffer()).stats()
}

for (const path of globalThis.process.argv.slice(2)) await process(await readFile(path))
