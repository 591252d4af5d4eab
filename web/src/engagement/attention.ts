import type { NewEvent, Source } from 'photofeed-client'

/** A post and where it is shown: in a slate, which its receipt proves, or elsewhere (on a profile). */
export interface Placement {
  postId: string
  receipt?: string
  source?: Source
}

/** A post that is visible for less time is only scrolled past. */
export const MIN_DWELL_MS = 250
/** The longest dwell that the API accepts. */
const MAX_DWELL_MS = 3_600_000

/**
 * Turns changes of visibility into impressions and dwell times.
 *
 * A placement in a slate counts as one impression, however often it becomes visible. Each visible period is a dwell event. While
 * the page is hidden nothing is visible: `pause` ends all periods, `resume` starts new ones.
 */
export class Attention {
  private readonly visible = new Map<string, { placement: Placement; since: number }>()
  private readonly seen = new Set<string>()
  private paused = false

  constructor(
    private readonly report: (event: NewEvent) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  enter(placement: Placement): void {
    const key = keyOf(placement)
    if (this.visible.has(key)) return
    this.visible.set(key, { placement, since: this.now() })
    if (!this.paused) this.countOnce(key, placement)
  }

  leave(placement: Placement): void {
    const look = this.visible.get(keyOf(placement))
    if (!look) return
    this.visible.delete(keyOf(placement))
    if (!this.paused) this.reportDwell(look.placement, look.since)
  }

  pause(): void {
    if (this.paused) return
    this.paused = true
    for (const { placement, since } of this.visible.values()) this.reportDwell(placement, since)
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    for (const [key, look] of this.visible) {
      look.since = this.now()
      this.countOnce(key, look.placement)
    }
  }

  private countOnce(key: string, placement: Placement): void {
    if (this.seen.has(key)) return
    this.seen.add(key)
    if (placement.receipt) this.report({ type: 'impression', ...placement })
  }

  private reportDwell(placement: Placement, since: number): void {
    const dwellMs = Math.min(Math.round(this.now() - since), MAX_DWELL_MS)
    if (dwellMs >= MIN_DWELL_MS) this.report({ type: 'dwell', dwellMs, ...placement })
  }
}

function keyOf({ receipt, postId }: Placement): string {
  return `${receipt ?? ''}/${postId}`
}
