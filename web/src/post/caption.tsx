import type { Post } from '../api/types'

export function Caption({ post }: { post: Pick<Post, 'caption' | 'tags'> }) {
  if (!post.caption && post.tags.length === 0) return null
  return (
    <p class="caption">
      {post.caption}
      {post.tags.map((tag) => (
        <span class="tag" key={tag}>
          {` #${tag}`}
        </span>
      ))}
    </p>
  )
}
