/** A part of a text that people wrote: plain, or a link. */
export type Part =
  | { kind: 'text'; text: string }
  | { kind: 'tag'; text: string; tag: string }
  | { kind: 'mention'; text: string; handle: string }
  | { kind: 'url'; text: string; url: string }

// Handles and tags as the API accepts them. A sign inside a word, as in an e-mail address, starts nothing.
const LINK =
  /(?<url>https?:\/\/[^\s<>"']+)|(?<![\p{L}\p{N}_/&])(?:#(?<tag>[\p{L}\p{N}_]{1,50})|@(?<handle>[a-z0-9_.]{2,30}))/giu
/** Punctuation that ends a sentence rather than an address. */
const SENTENCE_END = /[.,;:!?)\]}…]+$/

/** Finds addresses, #tags and @mentions in a text. */
export function partsOf(text: string): Part[] {
  const parts: Part[] = []
  let end = 0
  for (const match of text.matchAll(LINK)) {
    const part = linkOf(match)
    if (!part) continue
    if (match.index > end) parts.push({ kind: 'text', text: text.slice(end, match.index) })
    parts.push(part)
    end = match.index + part.text.length
  }
  if (end < text.length) parts.push({ kind: 'text', text: text.slice(end) })
  return parts
}

function linkOf({ 0: whole, groups }: RegExpMatchArray): Part | null {
  const { url, tag, handle } = groups ?? {}
  if (tag) return { kind: 'tag', text: whole, tag: tag.toLowerCase() }
  const text = whole.replace(SENTENCE_END, '')
  if (handle) return text.length > 2 ? { kind: 'mention', text, handle: text.slice(1).toLowerCase() } : null
  return url && URL.canParse(text) ? { kind: 'url', text, url: text } : null
}
