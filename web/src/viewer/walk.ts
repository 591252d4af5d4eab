import { signal } from '@preact/signals'
import type { Post } from 'photofeed-client'
import type { Placement } from '../engagement/attention'

/** The list from which a post was opened: the viewer walks along it. */
export interface Walk {
  /** Its posts, as far as they are loaded. */
  posts: () => readonly Post[]
  /** Loads more of them. */
  more: () => void
  placement: (post: Post) => Placement
}

/** The list that the open post belongs to; null for a post that was opened by its address alone. */
export const walk = signal<Walk | null>(null)

export interface Neighbours {
  post: Post | undefined
  previous: Post | undefined
  next: Post | undefined
  /** Whether the post is the last one that is loaded. */
  isLast: boolean
}

export function neighbours(posts: readonly Post[], postId: string): Neighbours {
  const at = posts.findIndex(({ id }) => id === postId)
  if (at < 0) return { post: undefined, previous: undefined, next: undefined, isLast: false }
  return { post: posts[at], previous: posts[at - 1], next: posts[at + 1], isLast: at === posts.length - 1 }
}
