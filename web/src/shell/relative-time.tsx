import { words } from '../words'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const WEEK = 7 * DAY

/** A short age: "now", "5 min", "3 h", "6 d", then the date, with the year if it is not the current one. */
export function relativeTime(then: Date, now: Date, locale?: string): string {
  const { ages } = words
  const seconds = (now.getTime() - then.getTime()) / 1000
  if (seconds < MINUTE) return ages.now
  if (seconds < HOUR) return ages.minutes(Math.floor(seconds / MINUTE))
  if (seconds < DAY) return ages.hours(Math.floor(seconds / HOUR))
  if (seconds < WEEK) return ages.days(Math.floor(seconds / DAY))
  const sameYear = then.getFullYear() === now.getFullYear()
  return then.toLocaleDateString(locale, {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' }),
  })
}

export function TimeAgo({ at }: { at: string }) {
  const then = new Date(at)
  return (
    <time dateTime={at} title={then.toLocaleString()}>
      {relativeTime(then, new Date())}
    </time>
  )
}
