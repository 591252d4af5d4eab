import type { Source } from '../api/types'
import type { Happening } from './reporter'

/** A post where it was shown: in a slate, or on its own (a profile) without one. */
export interface Showing {
  postId: string
  slateId?: string
  position?: number
  source?: Source
}

/** Shorter looks are scrolling past, not looking. */
export const SHORTEST_DWELL_MS = 250
/** Nobody looks longer; the API takes no more. */
const LONGEST_DWELL_MS = 3_600_000

/**
 * Turns "is half visible now" and "is no longer" into impressions and dwell times.
 *
 * A showing counts as one impression however often it comes back; every stretch of looking is a dwell of its own.
 * While the page is hidden nobody looks: `pause` ends every stretch, `resume` begins new ones.
 */
export class Attention {
  private readonly visible = new Map<string, { showing: Showing; since: number }>()
  private readonly seen = new Set<string>()
  private paused = false

  constructor(
    private readonly report: (happening: Happening) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  enter(showing: Showing): void {
    const key = keyOf(showing)
    if (this.visible.has(key)) return
    this.visible.set(key, { showing, since: this.now() })
    if (!this.paused) this.countOnce(key, showing)
  }

  leave(showing: Showing): void {
    const look = this.visible.get(keyOf(showing))
    if (!look) return
    this.visible.delete(keyOf(showing))
    if (!this.paused) this.reportDwell(look.showing, look.since)
  }

  pause(): void {
    if (this.paused) return
    this.paused = true
    for (const { showing, since } of this.visible.values()) this.reportDwell(showing, since)
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    for (const [key, look] of this.visible) {
      look.since = this.now()
      this.countOnce(key, look.showing)
    }
  }

  private countOnce(key: string, showing: Showing): void {
    if (this.seen.has(key)) return
    this.seen.add(key)
    this.report({ type: 'impression', ...showing })
  }

  private reportDwell(showing: Showing, since: number): void {
    const dwellMs = Math.min(Math.round(this.now() - since), LONGEST_DWELL_MS)
    if (dwellMs >= SHORTEST_DWELL_MS) this.report({ type: 'dwell', dwellMs, ...showing })
  }
}

function keyOf({ slateId, postId }: Showing): string {
  return `${slateId ?? ''}/${postId}`
}
