import type { Post } from 'photofeed-client'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { Placeholder } from '../photo/placeholder'
import { RetryingImage } from '../photo/retrying-image'
import { sourceSet } from '../photo/sources'
import { Gestures } from './gestures'
import { type Extent, type View, WHOLE } from './zoom'

/** Small originals are enlarged at most twofold. */
const ENLARGED = 2
/** The frame of the picture in the style sheet (viewer.css): beside the details, or above them on phones. */
const FRAME = {
  wide: { width: '100vw - 360px', height: '100vh' },
  narrow: { width: '100vw', height: '66vh' },
}

/** CSS lengths of the whole picture in its frame, for the browser's choice of an image. */
export function sizesOf(post: Pick<Post, 'width' | 'height'>, scale = 1): string {
  const ratio = (post.width / post.height).toFixed(4)
  const fit = ({ width, height }: { width: string; height: string }) =>
    `calc(${scale.toFixed(1)} * min(${width}, ${height} * ${ratio}))`
  return `(min-width: 900px) ${fit(FRAME.wide)}, ${fit(FRAME.narrow)}`
}

interface WholePictureProps {
  post: Post
  alt: string
  onStep: (direction: -1 | 1) => void
  onClose: () => void
}

/** The whole picture, uncropped. It zooms by click, double tap, pinch, wheel and the keys + - 0, and pans when enlarged. */
export function WholePicture({ post, alt, onStep, onClose }: WholePictureProps) {
  const frame = useRef<HTMLDivElement>(null)
  const picture = useRef<HTMLDivElement>(null)
  const [view, setView] = useState<View>(WHOLE)
  const latest = useRef({ view, onStep, onClose })
  latest.current = { view, onStep, onClose }

  const gestures = useMemo(
    () =>
      new Gestures({
        view: () => latest.current.view,
        show: (next) => {
          latest.current.view = next
          setView(next)
        },
        measure: () => measure(frame.current, picture.current),
        step: (direction) => latest.current.onStep(direction),
        close: () => latest.current.onClose(),
      }),
    [],
  )

  useEffect(() => {
    const zoom = (event: KeyboardEvent) => {
      if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey) return
      if (event.key === '+' || event.key === '=') gestures.zoomBy(1.5)
      else if (event.key === '-') gestures.zoomBy(1 / 1.5)
      else if (event.key === '0') setView(WHOLE)
    }
    // Not passive, so that zooming does not scroll the details below the picture.
    const wheel = (event: WheelEvent) => {
      event.preventDefault()
      gestures.wheel(event)
    }
    const element = frame.current
    addEventListener('keydown', zoom)
    element?.addEventListener('wheel', wheel, { passive: false })
    return () => {
      removeEventListener('keydown', zoom)
      element?.removeEventListener('wheel', wheel)
    }
  }, [gestures])

  const ratio = post.width / post.height
  const { scale, x, y } = view
  return (
    <div
      ref={frame}
      class="frame"
      data-zoomed={scale > 1}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        gestures.down(event)
      }}
      onPointerMove={(event) => gestures.move(event)}
      onPointerUp={(event) => gestures.up(event)}
      onPointerCancel={(event) => gestures.cancel(event)}
    >
      <div
        ref={picture}
        class="whole"
        style={{
          '--ratio': String(ratio),
          maxWidth: `${ENLARGED * post.width}px`,
          transform: `translate(${x}px, ${y}px) scale(${scale})`,
          backgroundColor: post.dominantColor ?? undefined,
        }}
      >
        {post.blurhash && <Placeholder blurhash={post.blurhash} ratio={ratio} />}
        <RetryingImage
          alt={alt}
          sources={sourceSet(post.images)}
          sizes={sizesOf(post, scale)}
          width={post.width}
          height={post.height}
          eager
        />
      </div>
    </div>
  )
}

/** Loads the image of a neighbour as the browser will want it, so that a step shows it at once. */
export function preload(post: Post | undefined): void {
  if (!post) return
  const image = new Image()
  const { src, srcset } = sourceSet(post.images)
  image.sizes = sizesOf(post)
  image.srcset = srcset
  image.src = src
}

function measure(frame: HTMLElement | null, picture: HTMLElement | null) {
  const box = frame?.getBoundingClientRect() ?? new DOMRect()
  const sizeOf = (element: HTMLElement | null): Extent => ({
    x: element?.offsetWidth ?? 0,
    y: element?.offsetHeight ?? 0,
  })
  return {
    picture: sizeOf(picture),
    frame: sizeOf(frame),
    centre: { x: box.left + box.width / 2, y: box.top + box.height / 2 },
  }
}
