import type { Schemas } from 'photofeed-client'
import { api } from '../session'

export type Explanation = Schemas['PostExplanation']
export type Ranking = Schemas['ExplainedRanking']

export const RANKERS = ['champion', 'previous', 'challenger', 'popularity', 'recency'] as const
export type Ranker = (typeof RANKERS)[number]

/** What to explain: whose feed, which post if any, and by which rankers. */
export interface Asked {
  handle: string
  post: string
  rankers: readonly Ranker[]
}

/** The id in what somebody typed or pasted: an id, or the address of a post. */
export function postIdOf(text: string): string {
  const [, id] = /\/p\/([^/?#]+)/.exec(text) ?? []
  return id ?? text.trim()
}

export function explain({ handle, post, rankers }: Asked, signal: AbortSignal): Promise<Explanation> {
  const query = new URLSearchParams({ handle: handle.trim().replace(/^@/, '').toLowerCase() })
  const postId = postIdOf(post)
  if (postId) query.set('postId', postId)
  for (const ranker of new Set(rankers)) query.append('ranker', ranker)
  return api.get(`/admin/explanation?${query}`, { signal })
}

/** The features of all rankings side by side: each name once, with a value for each ranking that has it. */
export function featureRows(rankings: readonly Ranking[]): { name: string; values: (number | null)[] }[] {
  const columns = rankings.map(
    ({ post }) => new Map(post?.features.map(({ name, value }) => [name, value ?? null])),
  )
  const names = new Set(columns.flatMap((column) => [...column.keys()]))
  return [...names].map((name) => ({ name, values: columns.map((column) => column.get(name) ?? null) }))
}
