import { signal } from '@preact/signals'
import { Pages } from '../api/pages'
import type { FeedItem, Slate } from '../api/types'
import { learnFollows } from '../people/follows'
import { learnReactions } from '../post/reactions'
import { api } from '../session'
import { showError } from '../shell/toasts'

const PAGE_SIZE = 15

/** A ranked post and the slate it was chosen for. */
export interface FeedEntry extends FeedItem {
  slate: SlateFacts
}

/** What a slate says about itself, without its items. */
export type SlateFacts = Omit<Slate, 'items' | 'nextCursor'>

/** The newest slate's facts; null before the first one has come. */
export const currentSlate = signal<SlateFacts | null>(null)

export const feed = new Pages<FeedEntry>(async (cursor) => {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE), ...(cursor ? { cursor } : {}) })
  const { items, nextCursor, ...slate } = await api.get<Slate>(`/feed?${query}`)
  learnReactions(items.map((item) => item.post))
  learnFollows(items.map((item) => item.post.author))
  currentSlate.value = slate
  return { items: items.map((item) => ({ ...item, slate })), nextCursor }
}, showError)
