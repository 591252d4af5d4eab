import type { ApiClient } from './client.js'
import { newId } from './ids.js'
import { Problem } from './problem.js'
import type { EngagementEvent, EventsReply } from './types.js'

/** An event without its id and time, which the reporter adds. */
export type NewEvent = Omit<EngagementEvent, 'id' | 'occurredAt'>

export interface ReporterOptions {
  send: (events: EngagementEvent[], keepalive: boolean) => Promise<EventsReply>
  onFailure: (error: unknown) => void
  now?: () => number
}

/** About 25 KB of JSON: well below the 64 KB that browsers allow for requests that outlive the page. */
const BATCH = 100
/** While the server is down, the oldest events above this number are dropped. */
const MAX_WAITING = 500

/**
 * Collects engagement events and sends them in batches.
 *
 * An event keeps its id when it is sent again, so the server counts it once. Batches that fail with a transient error
 * are sent again with the next flush. Batches that the server refuses are reported and dropped.
 */
export class Reporter {
  private waiting: EngagementEvent[] = []
  private readonly now: () => number

  constructor(private readonly options: ReporterOptions) {
    this.now = options.now ?? Date.now
  }

  /** A reporter that sends to the API. */
  static of(api: Pick<ApiClient, 'post'>, onFailure: (error: unknown) => void): Reporter {
    return new Reporter({
      send: (events, keepalive) => api.post<EventsReply>('/events', { events }, { keepalive }),
      onFailure,
    })
  }

  report(event: NewEvent): void {
    const now = this.now()
    this.waiting.push({ id: newId(now), occurredAt: new Date(now).toISOString(), ...event })
  }

  /**
   * Sends the collected events. With `keepalive` the requests continue after the page is closed, like `sendBeacon`,
   * which cannot send the token.
   */
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
        // Batches fail in any order.
        this.waiting = [...batch, ...this.waiting].sort(byTime).slice(-MAX_WAITING)
      }
      this.options.onFailure(error)
    }
  }
}

function byTime(one: EngagementEvent, other: EngagementEvent): number {
  return (one.occurredAt ?? '').localeCompare(other.occurredAt ?? '')
}
