import { signal } from '@preact/signals'
import type { Post } from 'photofeed-client'

/** Posts that the user hid, reported or deleted, until the lists are loaded again without them. */
export const gonePosts = signal<ReadonlySet<string>>(new Set())
/** People whom the user muted or blocked. */
export const goneAuthors = signal<ReadonlySet<string>>(new Set())

type Ids = typeof gonePosts

export function addTo(ids: Ids, id: string): void {
  ids.value = new Set([...ids.value, id])
}

export function removeFrom(ids: Ids, id: string): void {
  ids.value = new Set([...ids.value].filter((other) => other !== id))
}

/** Whether lists leave this post out. */
export function isGone(post: Pick<Post, 'id' | 'author'>): boolean {
  return gonePosts.value.has(post.id) || goneAuthors.value.has(post.author.id)
}

export function forgetGone(): void {
  gonePosts.value = new Set()
  goneAuthors.value = new Set()
}
