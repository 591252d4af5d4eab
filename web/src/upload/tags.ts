/** Limits of the API. */
export const MAX_CAPTION_LENGTH = 2200
export const MAX_ALT_TEXT_LENGTH = 1000
export const MAX_TAGS = 30
const MAX_TAG_LENGTH = 50

/** The tags in a text: split at spaces and commas, without `#`, in lower case, each once. */
export function parseTags(typed: string): string[] {
  const words = typed
    .toLowerCase()
    .split(/[\s,#]+/)
    .filter((word) => word !== '')
    .map((word) => word.slice(0, MAX_TAG_LENGTH))
  return [...new Set(words)].slice(0, MAX_TAGS)
}
