import type { Post } from 'photofeed-client'
import { words } from '../words'

/** Marks a post as a reel, of which photofeed shows the poster picture. Nothing for other posts. */
export function ReelBadge({ post }: { post: Post }) {
  return post.contentType === 'reel' ? <span class="reel-badge">{words.post.reel}</span> : null
}
