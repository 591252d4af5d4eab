import type { FeedItem, FeedPage } from 'photofeed-client'
import { Pages } from '../api/pages'
import type { Placement } from '../engagement/attention'
import { learnPosts } from '../post/post-lists'
import { api } from '../session'
import { showError } from '../shell/toasts'

/** The properties of a slate, without its items. */
export type SlateFacts = Omit<FeedPage, 'items' | 'nextCursor'>

/** A ranked post and the slate that it belongs to. */
export interface FeedEntry extends FeedItem {
  slate: SlateFacts
}

/** Where a post is shown, for engagement events. */
export function placementOf({ post, receipt, source }: FeedEntry): Placement {
  return { postId: post.id, receipt, source }
}

/** A ranked list, page by page: the feed or explore. */
export function rankedList(
  path: string,
  pageSize: number,
  onSlate: (slate: SlateFacts) => void,
): Pages<FeedEntry> {
  return new Pages<FeedEntry>(async (cursor) => {
    const query = new URLSearchParams({ limit: `${pageSize}`, ...(cursor ? { cursor } : {}) })
    const { items, nextCursor, ...slate } = await api.get<FeedPage>(`${path}?${query}`)
    learnPosts(items.map(({ post }) => post))
    onSlate(slate)
    return { items: items.map((item) => ({ ...item, slate })), nextCursor }
  }, showError)
}
