import type { RefObject } from 'preact'
import { useEffect } from 'preact/hooks'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { Attention, type Showing } from './attention'
import { Reporter } from './reporter'

const FLUSH_EVERY_MS = 5000
const HALF = 0.5

export const reporter = new Reporter({
  send: (events, keepalive) => api.post('/events', { events }, { keepalive }),
  onFailure: showError,
})

const attention = new Attention((happening) => reporter.report(happening))

/** Sends what was gathered every few seconds, and at once when the page is hidden: it may never be shown again. */
export function startTracking(): void {
  setInterval(() => void reporter.flush(), FLUSH_EVERY_MS)
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') {
      attention.pause()
      void reporter.flush(true)
    } else {
      attention.resume()
    }
  })
}

/** Reports when at least half of the element is in view, and for how long. */
export function useAttention(element: RefObject<Element | null>, showing: Showing): void {
  const { postId, slateId } = showing
  // A showing is told apart by its post and slate alone: the object itself is a new one at every render.
  useEffect(() => {
    if (!element.current) return
    const observer = new IntersectionObserver(
      (entries) => {
        const latest = entries.at(-1)
        if (latest && latest.intersectionRatio >= HALF) attention.enter(showing)
        else attention.leave(showing)
      },
      { threshold: HALF },
    )
    observer.observe(element.current)
    return () => {
      observer.disconnect()
      attention.leave(showing)
    }
  }, [element, postId, slateId])
}
