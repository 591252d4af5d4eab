import type { ApiClient } from './client.js'
import type { FeedItem, FeedPage } from './types.js'

/** Yields the items of a new feed to its end; pages of `limit` are read when they are needed. */
export async function* feedItems(
  api: Pick<ApiClient, 'get'>,
  { path = '/feed', limit = 30 }: { path?: '/feed' | '/explore'; limit?: number } = {},
): AsyncGenerator<FeedItem> {
  let cursor: string | null = null
  do {
    const query = new URLSearchParams({ limit: `${limit}`, ...(cursor ? { cursor } : {}) })
    const page: FeedPage = await api.get<FeedPage>(`${path}?${query}`)
    yield* page.items
    cursor = page.nextCursor
  } while (cursor !== null)
}
