import { useState } from 'preact/hooks'
import type { Images, Picture } from '../api/types'
import { Placeholder } from './placeholder'

export interface PhotoProps {
  picture: Picture
  alt: string
  /** Which longest edges the browser may choose from. */
  edges: readonly number[]
  /** How wide its place is, as CSS lengths: on a phone, and on anything larger. */
  narrow: string
  wide: string
  /** Width ÷ height of the place it gets; the photo is cropped to it. Its own ratio when absent. */
  ratio?: number
  /** The first photos on a page are fetched at once, the others when they come near. */
  eager?: boolean
}

/** A photo that holds its place from the start: dominant colour, then blurhash, then a cross-fade into the image. */
export function Photo({ picture, alt, edges, narrow, wide, ratio, eager = false }: PhotoProps) {
  const [state, setState] = useState<'coming' | 'there' | 'lost'>('coming')
  const ownRatio = picture.width / picture.height
  const sources = candidates(picture.images, edges)
  // A photo wider than its place is cropped at the sides, so what is shown is a part of a wider image.
  const overhang = Math.max(1, ownRatio / (ratio ?? ownRatio)).toFixed(3)

  return (
    <div
      class="photo"
      data-state={state}
      style={{ aspectRatio: String(ratio ?? ownRatio), backgroundColor: picture.dominantColor ?? undefined }}
    >
      {picture.blurhash && <Placeholder blurhash={picture.blurhash} ratio={ownRatio} />}
      <img
        alt={alt}
        src={sources[0]?.url}
        srcset={sources.map((image) => `${image.url} ${image.width}w`).join(', ')}
        sizes={`(min-width: 681px) calc(${overhang} * ${wide}), calc(${overhang} * ${narrow})`}
        width={picture.width}
        height={picture.height}
        loading={eager ? 'eager' : 'lazy'}
        fetchpriority={eager ? 'high' : 'auto'}
        decoding="async"
        draggable={false}
        onLoad={() => setState('there')}
        onError={() => setState('lost')}
      />
      {state === 'lost' && <p class="photo-lost">This photo could not be loaded.</p>}
    </div>
  )
}

/** The images of the wanted edges; a small original has none of them and shows the largest it has. */
function candidates(images: Images, edges: readonly number[]) {
  const wanted = edges.flatMap((edge) => images[edge] ?? [])
  if (wanted.length > 0) return wanted
  return Object.values(images)
    .sort((a, b) => b.width - a.width)
    .slice(0, 1)
}
