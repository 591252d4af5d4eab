import { Problem } from '../api/problem'
import type { EngagementEvent, EventsReply } from '../api/types'
import { eventId } from './event-id'

/** What happened, without the id and time that the reporter gives it. */
export type Happening = Omit<EngagementEvent, 'id' | 'occurredAt'>

export interface ReporterOptions {
  send: (events: EngagementEvent[], keepalive: boolean) => Promise<EventsReply>
  onFailure: (error: unknown) => void
  now?: () => number
}

/** Some 25 KB of JSON: well inside the 64 KB that a browser lets outlive a page. */
const BATCH = 100
/** When the server stays away, the oldest events are let go first. */
const MOST_WAITING = 500

/**
 * Gathers engagement events and sends them in batches.
 *
 * An event keeps its id however often it is sent, so the server counts it once. Batches that fail for a passing reason
 * wait for the next flush; batches that the server refuses are reported and dropped, as they would be refused again.
 */
export class Reporter {
  private waiting: EngagementEvent[] = []
  private readonly now: () => number

  constructor(private readonly options: ReporterOptions) {
    this.now = options.now ?? Date.now
  }

  report(happening: Happening): void {
    const now = this.now()
    this.waiting.push({ id: eventId(now), occurredAt: new Date(now).toISOString(), ...happening })
  }

  /** Sends what is waiting. With `keepalive` the requests go through although the page is going away. */
  async flush(keepalive = false): Promise<void> {
    const events = this.waiting.splice(0)
    const batches = Array.from({ length: Math.ceil(events.length / BATCH) }, (_, at) =>
      events.slice(at * BATCH, (at + 1) * BATCH),
    )
    await Promise.all(batches.map((batch) => this.sendBatch(batch, keepalive)))
  }

  private async sendBatch(batch: EngagementEvent[], keepalive: boolean): Promise<void> {
    try {
      const { refused } = await this.options.send(batch, keepalive)
      const first = refused[0]
      if (first)
        this.options.onFailure(new Problem(202, first.code, `Some activity was not counted: ${first.reason}`))
    } catch (error) {
      if (error instanceof Problem && error.isTransient) {
        this.waiting = [...batch, ...this.waiting].slice(-MOST_WAITING)
      }
      this.options.onFailure(error)
    }
  }
}
