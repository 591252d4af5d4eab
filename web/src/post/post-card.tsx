import type { Post } from 'photofeed-client'
import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { Placement } from '../engagement/attention'
import { reporter, useAttention } from '../engagement/tracking'
import { Photo } from '../photo/photo'
import { words } from '../words'
import { ActionBar } from './action-bar'
import { Byline } from './byline'
import { Caption } from './caption'
import { Comments } from './comments'
import { describe } from './describe'
import { PostMenu } from './post-menu'
import { TapSurface } from './tap-surface'

/** A photo taller than 4:5 would fill a phone's screen; one wider than 2:1 would be very low. The viewer shows it whole. */
const NARROWEST = 4 / 5
const WIDEST = 2

interface PostCardProps {
  post: Post
  placement: Placement
  eager?: boolean
  /** Called before the viewer opens the post. */
  onOpen: () => void
  onWhy: () => void
  onHide: () => void
  /** Shown below the caption. */
  children?: ComponentChildren
}

export function PostCard({ post, placement, eager = false, onOpen, onWhy, onHide, children }: PostCardProps) {
  const photo = useRef<HTMLAnchorElement>(null)
  const [commentCount, setCommentCount] = useState(post.commentCount)
  const [showsComments, setShowsComments] = useState(false)
  useAttention(photo, placement)

  const toggleComments = () => {
    if (!showsComments) reporter.report({ type: 'open', ...placement })
    setShowsComments(!showsComments)
  }

  return (
    <article class="post" aria-label={words.post.by(post.author.displayName)}>
      <Byline post={post}>
        <PostMenu post={post} placement={placement} onWhy={onWhy} onHide={onHide} />
      </Byline>
      <TapSurface post={post} placement={placement} target={photo} onOpen={onOpen}>
        <Photo
          picture={post}
          alt={describe(post)}
          edges={[640, 1080]}
          narrow="100vw"
          wide="560px"
          ratio={Math.min(WIDEST, Math.max(NARROWEST, post.width / post.height))}
          eager={eager}
        />
      </TapSurface>
      <ActionBar
        post={post}
        placement={placement}
        commentCount={commentCount}
        comments={{ isOpen: showsComments, onToggle: toggleComments }}
      />
      <Caption post={post} />
      {showsComments && (
        <Comments post={post} focusesField onCount={(by) => setCommentCount((count) => count + by)} />
      )}
      {children}
    </article>
  )
}
