let format: Intl.NumberFormat | undefined

/** A short count for use beside an icon, in the language of the page: 987, 1.2K, 3.4M. */
export function compactCount(count: number): string {
  // The language is known only when the app has started.
  format ??= new Intl.NumberFormat(globalThis.document?.documentElement.lang || 'en', {
    notation: 'compact',
    maximumFractionDigits: 1,
  })
  return format.format(count)
}
