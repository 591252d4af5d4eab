import { useEffect, useState } from 'preact/hooks'
import { words } from '../words'
import type { SourceSet } from './sources'

interface RetryingImageProps {
  alt: string
  sources: SourceSet
  sizes: string
  width: number
  height: number
  /** Load at once and show without a fade, as for the first photos on a page; otherwise when it comes near. */
  eager: boolean
}

/** Pauses before an image that failed is loaded again by itself. */
const PAUSES_MS = [2000, 10_000, 60_000]

/** An image above its placeholder. One that failed is loaded again after a pause, and when the network is back. */
export function RetryingImage({ alt, sources, sizes, width, height, eager }: RetryingImageProps) {
  const [state, setState] = useState<'coming' | 'there' | 'lost'>('coming')
  const [attempt, setAttempt] = useState(0)

  useEffect(() => {
    if (state !== 'lost') return
    const again = () => {
      setState('coming')
      setAttempt((before) => before + 1)
    }
    const pause = PAUSES_MS[attempt]
    const timer = pause === undefined ? undefined : setTimeout(again, pause)
    addEventListener('online', again)
    return () => {
      clearTimeout(timer)
      removeEventListener('online', again)
    }
  }, [state, attempt])

  return (
    <>
      <img
        key={attempt}
        class="image"
        data-state={state}
        data-eager={eager}
        alt={alt}
        src={sources.src}
        srcset={sources.srcset}
        sizes={sizes}
        width={width}
        height={height}
        loading={eager ? 'eager' : 'lazy'}
        fetchpriority={eager ? 'high' : 'auto'}
        decoding="async"
        draggable={false}
        onLoad={() => setState('there')}
        onError={() => setState('lost')}
      />
      {state === 'lost' && <p class="photo-lost">{words.post.lost}</p>}
    </>
  )
}
