import type { Post } from 'photofeed-client'
import { Placeholder } from './placeholder'
import { RetryingImage } from './retrying-image'
import { sourceSet } from './sources'

/** The data to lay out a photo and paint its placeholder before the image has loaded. */
type Picture = Pick<Post, 'width' | 'height' | 'blurhash' | 'dominantColor' | 'images'>

export interface PhotoProps {
  picture: Picture
  alt: string
  /** The longest edges that the browser may choose from. */
  edges: readonly number[]
  /** The width of its box as CSS lengths: on phones, and on larger screens. */
  narrow: string
  wide: string
  /** Width ÷ height of its box; the photo is cropped to it. By default the photo's own ratio. */
  ratio?: number
  /** Load at once, as for the first photos on a page; otherwise when the photo comes near the viewport. */
  eager?: boolean
}

/** A photo whose box has its size from the start: dominant colour, then blurhash, then the image. */
export function Photo({ picture, alt, edges, narrow, wide, ratio, eager = false }: PhotoProps) {
  const ownRatio = picture.width / picture.height
  // A photo wider than its box is cropped at the sides, so the browser needs a wider image than the box.
  const overhang = Math.max(1, ownRatio / (ratio ?? ownRatio)).toFixed(3)

  return (
    <div
      class="photo"
      style={{ aspectRatio: String(ratio ?? ownRatio), backgroundColor: picture.dominantColor ?? undefined }}
    >
      {picture.blurhash && <Placeholder blurhash={picture.blurhash} ratio={ownRatio} />}
      <RetryingImage
        alt={alt}
        sources={sourceSet(picture.images, edges)}
        sizes={`(min-width: 681px) calc(${overhang} * ${wide}), calc(${overhang} * ${narrow})`}
        width={picture.width}
        height={picture.height}
        eager={eager}
      />
    </div>
  )
}
