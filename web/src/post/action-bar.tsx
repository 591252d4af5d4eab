import type { ComponentChildren } from 'preact'
import type { Post } from '../api/types'
import type { Showing } from '../engagement/attention'
import { compactCount } from '../shell/count'
import { BookmarkIcon, CommentIcon, HeartIcon, ShareIcon } from '../shell/icons'
import { reactions, toggleLike, toggleSave } from './reactions'
import { sharePost } from './share'

interface ActionBarProps {
  post: Post
  showing: Showing
  commentCount: number
  showsComments: boolean
  onToggleComments: () => void
}

export function ActionBar({ post, showing, commentCount, showsComments, onToggleComments }: ActionBarProps) {
  const { likedByMe, likeCount, savedByMe, saveCount } = reactions(post).value
  return (
    <div class="actions">
      <Action
        kind="like"
        label="Like"
        count={likeCount}
        on={likedByMe}
        onPress={() => void toggleLike(post, showing)}
      >
        <HeartIcon />
      </Action>
      <Action
        kind="comment"
        label="Comments"
        count={commentCount}
        expanded={showsComments}
        onPress={onToggleComments}
      >
        <CommentIcon />
      </Action>
      <Action kind="share" label="Share" onPress={() => void sharePost(post, showing)}>
        <ShareIcon />
      </Action>
      <Action
        kind="save"
        label="Save"
        count={saveCount}
        on={savedByMe}
        onPress={() => void toggleSave(post, showing)}
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
  /** Given for what can be on or off. */
  on?: boolean
  /** Given for what opens something. */
  expanded?: boolean
  onPress: () => void
  children: ComponentChildren
}

function Action({ kind, label, count, on, expanded, onPress, children }: ActionProps) {
  return (
    <button
      type="button"
      class={`action ${kind}`}
      title={label}
      aria-label={count === undefined ? label : `${label}, ${count}`}
      aria-pressed={on}
      aria-expanded={expanded}
      onClick={onPress}
    >
      {children}
      {count !== undefined && count > 0 && <span class="count">{compactCount(count)}</span>}
    </button>
  )
}
