/** When a request is sent again. Repeats are safe: PUTs by nature, POSTs by their `Idempotency-Key`. */
export interface Retries {
  /** Most times that a request is sent. */
  attempts: number
  /** Before the second attempt; each further pause is up to twice as long. */
  firstPauseMs: number
  /** A server that asks to wait longer by `Retry-After` is not asked again. */
  longestWaitMs: number
}

export const RETRIES: Retries = { attempts: 3, firstPauseMs: 300, longestWaitMs: 10_000 }

const STATUSES: readonly number[] = [429, 502, 503, 504]

/** @returns how long to wait before the next attempt, in ms; null if the reply, or its absence, stands */
export function pauseAfter(reply: Response | null, attempt: number, retries: Retries): number | null {
  if (attempt >= retries.attempts || (reply !== null && !STATUSES.includes(reply.status))) return null
  const pause = retries.firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2)
  const asked = retryAfterMs(reply?.headers.get('retry-after') ?? null)
  if (asked === null) return pause
  return asked > retries.longestWaitMs ? null : Math.max(asked, pause)
}

/** Reads `Retry-After`: seconds or a date (RFC 9110, section 10.2.3). */
export function retryAfterMs(header: string | null, now: number = Date.now()): number | null {
  if (header === null) return null
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}
