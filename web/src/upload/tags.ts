/** What the API takes. */
export const MOST_TAGS = 30
const LONGEST_TAG = 50

/** The tags in what was typed: split at spaces and commas, `#` dropped, lower case, each once. */
export function parseTags(typed: string): string[] {
  const words = typed
    .toLowerCase()
    .split(/[\s,#]+/)
    .filter((word) => word !== '')
    .map((word) => word.slice(0, LONGEST_TAG))
  return [...new Set(words)].slice(0, MOST_TAGS)
}
