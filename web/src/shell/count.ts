const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

/** A count short enough to stand beside an icon: 987, 1.2K, 3.4M. */
export function compactCount(count: number): string {
  return COMPACT.format(count)
}

/** A count and its noun: "1 post", "12 posts". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${compactCount(count)} ${count === 1 ? one : many}`
}
