import type { ComponentChildren, RefObject } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { Post } from '../api/types'
import type { Showing } from '../engagement/attention'
import { HeartIcon } from '../shell/icons'
import { reactions, toggleLike } from './reactions'

const TWICE_WITHIN_MS = 320
const TWICE_WITHIN_PX = 40

interface DoubleTapLikeProps {
  post: Post
  showing: Showing
  place: RefObject<HTMLDivElement | null>
  children: ComponentChildren
}

/**
 * Likes the post when its photo is tapped twice. Never takes a like back: the heart below does that.
 *
 * Taps are told by pointer events, because touch screens do not agree on `dblclick`. The heart button is the way in
 * for keyboards and screen readers, so this surface stays out of theirs.
 */
export function DoubleTapLike({ post, showing, place, children }: DoubleTapLikeProps) {
  const lastTap = useRef({ at: Number.NEGATIVE_INFINITY, x: 0, y: 0 })
  const [burst, setBurst] = useState<{ x: number; y: number; key: number } | null>(null)

  const tap = (event: PointerEvent) => {
    const { x, y, at } = lastTap.current
    const near = Math.hypot(event.clientX - x, event.clientY - y) < TWICE_WITHIN_PX
    if (!near || event.timeStamp - at > TWICE_WITHIN_MS) {
      lastTap.current = { at: event.timeStamp, x: event.clientX, y: event.clientY }
      return
    }
    lastTap.current.at = Number.NEGATIVE_INFINITY
    const box = place.current?.getBoundingClientRect()
    setBurst({
      x: event.clientX - (box?.left ?? 0),
      y: event.clientY - (box?.top ?? 0),
      key: event.timeStamp,
    })
    if (!reactions(post).value.likedByMe) void toggleLike(post, showing)
  }

  return (
    <div class="tap-surface" ref={place} onPointerUp={tap}>
      {children}
      {burst && (
        <span
          key={burst.key}
          class="burst"
          style={{ left: `${burst.x}px`, top: `${burst.y}px` }}
          onAnimationEnd={() => setBurst(null)}
        >
          <HeartIcon />
        </span>
      )}
    </div>
  )
}
