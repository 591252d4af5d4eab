import type { Post } from 'photofeed-client'
import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Placement } from '../engagement/attention'
import { navigate, paths } from '../router'
import { HeartIcon } from '../shell/icons'
import { reactions, toggleLike } from './reactions'

const TWICE_WITHIN_MS = 280
const TWICE_WITHIN_PX = 40

interface TapSurfaceProps {
  post: Post
  placement: Placement
  target: RefObject<HTMLAnchorElement | null>
  /** Called before the post opens. */
  onOpen: () => void
  children: ComponentChildren
}

/**
 * Opens the post when its photo is tapped, and likes it when it is tapped twice. It never removes a like.
 *
 * It is a link, so that keyboards, other tabs and screen readers open the post as well.
 */
export function TapSurface({ post, placement, target, onOpen, children }: TapSurfaceProps) {
  const lastTap = useRef({ at: Number.NEGATIVE_INFINITY, x: 0, y: 0 })
  const opening = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const [burst, setBurst] = useState<{ x: number; y: number; key: number } | null>(null)
  useEffect(() => () => clearTimeout(opening.current), [])

  const tap = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return
    const isKeyboard = event.detail === 0
    if (isKeyboard) {
      onOpen()
      return
    }
    event.preventDefault()
    clearTimeout(opening.current)
    const { x, y, at } = lastTap.current
    const near = Math.hypot(event.clientX - x, event.clientY - y) < TWICE_WITHIN_PX
    if (near && event.timeStamp - at < TWICE_WITHIN_MS) {
      like(event)
      return
    }
    lastTap.current = { at: event.timeStamp, x: event.clientX, y: event.clientY }
    opening.current = setTimeout(() => {
      onOpen()
      navigate(paths.post(post.id))
    }, TWICE_WITHIN_MS)
  }

  const like = (event: MouseEvent) => {
    lastTap.current.at = Number.NEGATIVE_INFINITY
    const box = target.current?.getBoundingClientRect()
    setBurst({
      x: event.clientX - (box?.left ?? 0),
      y: event.clientY - (box?.top ?? 0),
      key: event.timeStamp,
    })
    if (!reactions(post).value.likedByMe) void toggleLike(post, placement)
  }

  return (
    <a class="tap-surface" href={paths.post(post.id)} ref={target} draggable={false} onClick={tap}>
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
    </a>
  )
}
