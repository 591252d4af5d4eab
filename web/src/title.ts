import { useEffect } from 'preact/hooks'
import { openPost } from './router'
import { words } from './words'

/** Names the page in the window's title; while a photo is open, the viewer names it. */
export function useTitle(title: string | null): void {
  const isBelow = openPost.value !== null
  useEffect(() => {
    if (!isBelow) setTitle(title)
  }, [title, isBelow])
}

export function setTitle(title: string | null): void {
  document.title = title === null ? words.app : `${title} · ${words.app}`
}
