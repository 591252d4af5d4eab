export const MOST_TAGS = 10

/** The tags in what was typed: split at spaces and commas, `#` dropped, lower case, each once. */
export function parseTags(typed: string): string[] {
  const words = typed
    .toLowerCase()
    .split(/[\s,#]+/)
    .filter((word) => word !== '')
  return [...new Set(words)].slice(0, MOST_TAGS)
}
