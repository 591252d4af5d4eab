import type { Post } from 'photofeed-client'
import type { ComponentChildren } from 'preact'
import type { Placement } from '../engagement/attention'
import { session } from '../session'
import { compactCount } from '../shell/count'
import { BookmarkIcon, CommentIcon, HeartIcon, ShareIcon } from '../shell/icons'
import { words } from '../words'
import { reactions, toggleLike, toggleSave } from './reactions'
import { sharePost } from './share'

interface ActionBarProps {
  post: Post
  placement: Placement
  commentCount: number
  /** Whether the comments are shown, and the way to show them; without it they always are. */
  comments?: { isOpen: boolean; onToggle: () => void }
}

export function ActionBar({ post, placement, commentCount, comments }: ActionBarProps) {
  const { likedByMe, likeCount, savedByMe, saveCount } = reactions(post).value
  const isMine = post.author.id === session.value?.person.id
  return (
    <div class="actions">
      <Action
        kind="like"
        label={words.actions.like}
        count={likeCount}
        on={likedByMe}
        onPress={() => void toggleLike(post, placement)}
      >
        <HeartIcon />
      </Action>
      {comments && (
        <Action
          kind="comment"
          label={words.actions.comments}
          count={commentCount}
          expanded={comments.isOpen}
          onPress={comments.onToggle}
        >
          <CommentIcon />
        </Action>
      )}
      <Action kind="share" label={words.actions.share} onPress={() => void sharePost(post, placement)}>
        <ShareIcon />
      </Action>
      {/* How often a photo was saved concerns nobody except its author. */}
      <Action
        kind="save"
        label={words.actions.save}
        {...(isMine ? { count: saveCount } : {})}
        on={savedByMe}
        onPress={() => void toggleSave(post, placement)}
      >
        <BookmarkIcon />
      </Action>
    </div>
  )
}

interface ActionProps {
  kind: string
  label: string
  count?: number
  /** For actions that are on or off. */
  on?: boolean
  /** For actions that expand a section. */
  expanded?: boolean
  onPress: () => void
  children: ComponentChildren
}

/** The accessible name contains the count as it is written, so that speech control finds the button by it. */
function Action({ kind, label, count = 0, on, expanded, onPress, children }: ActionProps) {
  return (
    <button
      type="button"
      class={`action ${kind}`}
      title={label}
      aria-pressed={on}
      aria-expanded={expanded}
      onClick={onPress}
    >
      {children}
      <span class="visually-hidden">{label}</span>
      {count > 0 && <span class="count">{compactCount(count)}</span>}
    </button>
  )
}
