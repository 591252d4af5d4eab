import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Pages } from '../api/pages'
import { words } from '../words'

/** The distance from the end at which the next page is loaded: about three posts. */
const AHEAD = '2400px 0px'

interface InfiniteScrollProps<T> {
  pages: Pages<T>
  waiting: ComponentChildren
  /** Shown when the list is complete. */
  children: ComponentChildren
}

/** The end of a paged list: loads the next page when it comes near the viewport, and shows the list's state. */
export function InfiniteScroll<T>({ pages, waiting, children }: InfiniteScrollProps<T>) {
  const sentinel = useRef<HTMLDivElement>(null)
  const state = pages.state.value

  // A new observer per page: observers only report changes, and after a short page the end may still be in view.
  useEffect(() => {
    if (state !== 'ready' || !sentinel.current) return
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) void pages.more()
      },
      { rootMargin: AHEAD },
    )
    observer.observe(sentinel.current)
    return () => observer.disconnect()
  }, [pages, state])

  return (
    <div ref={sentinel} aria-busy={state === 'loading'}>
      {(state === 'ready' || state === 'loading') && waiting}
      {state === 'complete' && children}
      {state === 'failed' && (
        <Ending text={words.lists.failed} action={words.retry} onAction={() => void pages.more()} />
      )}
      {state === 'expired' && (
        <Ending text={words.lists.expired} action={words.reload} onAction={() => void pages.restart()} />
      )}
    </div>
  )
}

/** A message at the end of a list, with one action. */
export function Ending({ text, action, onAction }: { text: string; action: string; onAction: () => void }) {
  return (
    <div class="ending">
      <p>{text}</p>
      <button type="button" class="quiet" onClick={onAction}>
        {action}
      </button>
    </div>
  )
}
