import type { PagesContents } from '../api/pages'
import { learnPosts } from '../post/post-lists'
import { reactions } from '../post/reactions'
import { currentSlate, feed } from './feed-pages'
import type { FeedEntry } from './slates'

const STORAGE_KEY = 'photofeed.feed'
/** The server keeps a slate for as long after its last page was read; then its cursor has expired. */
const KEPT_MS = 10 * 60_000

interface KeptFeed {
  personId: string
  savedAt: number
  scrollTop: number
  contents: PagesContents<FeedEntry>
}

/** Keeps the feed and its scroll position in this tab, so that a reload shows the same posts at the same place. */
export function keepFeed(personId: string, scrollTop: number, now: number = Date.now()): void {
  const { items, cursor } = feed.contents()
  if (items.length === 0) return
  const current = items.map((entry) => ({
    ...entry,
    post: { ...entry.post, ...reactions(entry.post).value },
  }))
  const kept: KeptFeed = { personId, savedAt: now, scrollTop, contents: { items: current, cursor } }
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify(kept))
}

/**
 * Shows the kept feed again, once.
 *
 * @returns its scroll position; null if there is none of this person, or its slate has expired
 */
export function restoreFeed(personId: string, now: number = Date.now()): number | null {
  const stored = sessionStorage.getItem(STORAGE_KEY)
  sessionStorage.removeItem(STORAGE_KEY)
  const kept = stored === null ? null : (JSON.parse(stored) as KeptFeed)
  if (!kept || kept.personId !== personId || now - kept.savedAt > KEPT_MS) return null
  const { contents, scrollTop } = kept
  learnPosts(contents.items.map(({ post }) => post))
  currentSlate.value = contents.items.at(-1)?.slate ?? null
  feed.restore(contents)
  return scrollTop
}
