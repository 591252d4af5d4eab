import type { Post } from 'photofeed-client'
import { words } from '../words'

/** The text that stands for a photo where it is not seen. */
export function describe(post: Pick<Post, 'caption' | 'tags' | 'author'>): string {
  const text = post.caption || post.tags.join(', ') || words.post.untitled
  return words.post.alt(text, post.author.displayName)
}
