import type { Post } from 'photofeed-client'
import { words } from '../words'
import { currentWords } from './edit-post'

/** The text that stands for a photo where it is not seen. */
export function describe(post: Post): string {
  const { altText, caption, tags } = currentWords(post)
  const text = altText || caption || tags.join(', ') || words.post.untitled
  return words.post.alt(text, post.author.displayName)
}
