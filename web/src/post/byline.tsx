import type { Post } from 'photofeed-client'
import type { ComponentChildren } from 'preact'
import { FollowButton } from '../people/follow-button'
import { Monogram } from '../people/monogram'
import { paths } from '../router'
import { TimeAgo } from '../shell/relative-time'
import { ReelBadge } from './reel-badge'

/** Who posted it and when. */
export function Byline({ post, children }: { post: Post; children?: ComponentChildren }) {
  return (
    <header class="byline">
      <a class="person-link" href={paths.profile(post.author.handle)}>
        <Monogram person={post.author} />
        <span class="name">{post.author.displayName}</span>
      </a>
      <span class="muted byline-time">
        <TimeAgo at={post.postedAt} />
      </span>
      <ReelBadge post={post} />
      <FollowButton person={post.author} />
      {children}
    </header>
  )
}
