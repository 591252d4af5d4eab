const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const WEEK = 7 * DAY

/** How long ago in the fewest words: "now", "5 min", "3 h", "6 d", then the date, with the year when it is another. */
export function relativeTime(then: Date, now: Date, locale?: string): string {
  const seconds = (now.getTime() - then.getTime()) / 1000
  if (seconds < MINUTE) return 'now'
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h`
  if (seconds < WEEK) return `${Math.floor(seconds / DAY)} d`
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
