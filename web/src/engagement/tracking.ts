import { Reporter } from 'photofeed-client'
import type { RefObject } from 'preact'
import { useEffect } from 'preact/hooks'
import { api } from '../session'
import { runWaiting } from '../shell/later'
import { Attention, type Placement } from './attention'

const FLUSH_EVERY_MS = 5000
const HALF = 0.5

export const reporter = new Reporter({
  send: (events, keepalive) => api.post('/events', { events }, { keepalive }),
  // Nobody asked for these requests, so their failures are no messages: events are sent again, or lost.
  onFailure: (error) => console.warn('engagement events:', error),
})

const attention = new Attention((event) => reporter.report(event))

/** Sends the collected events every few seconds, and at once when the page is hidden: it may never be shown again. */
export function startTracking(): void {
  setInterval(() => void reporter.flush(), FLUSH_EVERY_MS)
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') {
      attention.pause()
      runWaiting()
      void reporter.flush(true)
    } else {
      attention.resume()
    }
  })
}

/** Reports when at least half of the element is in view, and for how long; nothing without a placement. */
export function useAttention(element: RefObject<Element | null>, placement: Placement | null): void {
  const { postId, receipt } = placement ?? {}
  // Post and receipt identify a placement; the object itself is a new one at every render.
  useEffect(() => {
    if (!element.current || !placement) return
    const observer = new IntersectionObserver(
      (entries) => {
        const latest = entries.at(-1)
        if (latest && latest.intersectionRatio >= HALF) attention.enter(placement)
        else attention.leave(placement)
      },
      { threshold: HALF },
    )
    observer.observe(element.current)
    return () => {
      observer.disconnect()
      attention.leave(placement)
    }
  }, [element, postId, receipt])
}
