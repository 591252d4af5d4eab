import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Pages } from '../api/pages'

/** How far ahead of the reader the next page is fetched: about three posts. */
const AHEAD = '2400px 0px'

interface InfiniteScrollProps<T> {
  pages: Pages<T>
  waiting: ComponentChildren
  /** Shown when the list is complete. */
  children: ComponentChildren
}

/** The end of a growing list: asks for more when the reader comes near, and says how it stands. */
export function InfiniteScroll<T>({ pages, waiting, children }: InfiniteScrollProps<T>) {
  const sentinel = useRef<HTMLDivElement>(null)
  const state = pages.state.value

  // Watching begins anew with every page: an observer only reports changes, and a short page may leave the end in view.
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
        <Ending words="That did not work." action="Try again" onAction={() => void pages.more()} />
      )}
      {state === 'expired' && (
        <Ending
          words="This list has grown old."
          action="Load it anew"
          onAction={() => void pages.restart()}
        />
      )}
    </div>
  )
}

/** The last words of a list, and what can be done about them. */
export function Ending({ words, action, onAction }: { words: string; action: string; onAction: () => void }) {
  return (
    <div class="ending">
      <p>{words}</p>
      <button type="button" class="quiet" onClick={onAction}>
        {action}
      </button>
    </div>
  )
}
