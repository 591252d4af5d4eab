import type { Pages } from './api/pages'

/** Lists of other pages than the feed that are kept, so that Back shows them as they were. */
const MAX_KEPT = 8

const kept = new Map<string, Pages<unknown>>()

/** The list with this key: the kept one or, if there is none, a new one. */
export function keptList<T>(key: string, make: () => Pages<T>): Pages<T> {
  const list = (kept.get(key) as Pages<T> | undefined) ?? make()
  kept.delete(key)
  kept.set(key, list as Pages<unknown>)
  const oldest = kept.keys().next().value
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest)
  return list
}

/** Forgets a list whose contents have changed, or all: they belong to the account that is signed in. */
export function forgetLists(key?: string): void {
  if (key === undefined) kept.clear()
  else kept.delete(key)
}
