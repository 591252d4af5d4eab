import { signal } from '@preact/signals'
import type { Post } from 'photofeed-client'

/** Posts that the user hid, reported or deleted, until the lists are loaded again without them. */
export const gonePosts = signal<ReadonlySet<string>>(new Set())
/** People whom the user muted or blocked. */
export const goneAuthors = signal<ReadonlySet<string>>(new Set())
/** Posts of the user that are being deleted: the server counts them until it is too late to undo. */
export const leavingPosts = signal<ReadonlySet<string>>(new Set())

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

const deleted = new Set<string>()

/** Notes that the server has deleted a post. */
export function noteDeleted(id: string): void {
  deleted.add(id)
}

/** The server's counts were read again: they are without the deleted posts. */
export function forgetDeleted(): void {
  if (deleted.size === 0) return
  leavingPosts.value = new Set([...leavingPosts.value].filter((id) => !deleted.has(id)))
  deleted.clear()
}

export function forgetGone(): void {
  gonePosts.value = new Set()
  leavingPosts.value = new Set()
  deleted.clear()
  goneAuthors.value = new Set()
}
