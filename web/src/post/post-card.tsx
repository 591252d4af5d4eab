import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { Post } from '../api/types'
import type { Showing } from '../engagement/attention'
import { reporter, useAttention } from '../engagement/tracking'
import { FollowButton } from '../people/follow-button'
import { Monogram } from '../people/monogram'
import { Photo } from '../photo/photo'
import { paths } from '../router'
import { TimeAgo } from '../shell/relative-time'
import { ActionBar } from './action-bar'
import { Caption } from './caption'
import { Comments } from './comments'
import { DoubleTapLike } from './double-tap-like'

/** Taller than 4:5 would push everything else off a phone's screen; wider than 2:1 would be a ribbon. */
const NARROWEST = 4 / 5
const WIDEST = 2

interface PostCardProps {
  post: Post
  showing: Showing
  eager?: boolean
  /** What the place that shows the post has to say about it, below the caption. */
  children?: ComponentChildren
}

export function PostCard({ post, showing, eager = false, children }: PostCardProps) {
  const photo = useRef<HTMLDivElement>(null)
  const [commentCount, setCommentCount] = useState(post.commentCount)
  const [showsComments, setShowsComments] = useState(false)
  useAttention(photo, showing)

  const toggleComments = () => {
    if (!showsComments) reporter.report({ type: 'open', ...showing })
    setShowsComments(!showsComments)
  }

  return (
    <article class="post" aria-label={`Photo by ${post.author.displayName}`}>
      <header class="byline">
        <a class="person-link" href={paths.profile(post.author.id)}>
          <Monogram person={post.author} />
          <span class="name">{post.author.displayName}</span>
        </a>
        <span class="muted byline-time">
          <TimeAgo at={post.postedAt} />
        </span>
        <FollowButton person={post.author} />
      </header>
      <DoubleTapLike post={post} showing={showing} place={photo}>
        <Photo
          picture={post}
          alt={describe(post)}
          edges={[640, 1080]}
          narrow="100vw"
          wide="560px"
          ratio={Math.min(WIDEST, Math.max(NARROWEST, post.width / post.height))}
          eager={eager}
        />
      </DoubleTapLike>
      <ActionBar
        post={post}
        showing={showing}
        commentCount={commentCount}
        showsComments={showsComments}
        onToggleComments={toggleComments}
      />
      <Caption post={post} />
      {children}
      {showsComments && <Comments post={post} onAdded={() => setCommentCount((count) => count + 1)} />}
    </article>
  )
}

function describe(post: Post): string {
  const words = post.caption || (post.tags.length > 0 ? post.tags.join(', ') : 'untitled')
  return `${words}, photo by ${post.author.displayName}`
}
