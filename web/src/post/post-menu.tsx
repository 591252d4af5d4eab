import type { Post } from 'photofeed-client'
import type { Placement } from '../engagement/attention'
import { block, mute } from '../people/person-actions'
import { session } from '../session'
import { Menu, type MenuItem } from '../shell/menu'
import { words } from '../words'
import { startEditing } from './edit-post'
import { copyLink, deleteWithUndo, hideWithMessage, report } from './post-actions'

interface PostMenuProps {
  post: Post
  placement: Placement
  /** Shows why the post is in the feed. */
  onWhy?: (() => void) | undefined
  /** Hides the post where a note takes its place; by default a message says so. */
  onHide?: (() => void) | undefined
  /** Called when the post leaves the lists: the viewer closes. */
  onGone?: () => void
}

/** Everything that can be done with a post besides the buttons below it. */
export function PostMenu({ post, placement, onWhy, onHide, onGone }: PostMenuProps) {
  const text = words.menu
  const { author } = post
  const leaving = (act: () => unknown) => () => {
    act()
    onGone?.()
  }
  const link: MenuItem = { label: text.copyLink, run: () => void copyLink(post) }
  const why: MenuItem[] = onWhy ? [{ label: text.why, run: onWhy }] : []
  const items: MenuItem[] =
    author.id === session.value?.person.id
      ? [
          link,
          { label: text.edit, run: () => startEditing(post) },
          { label: text.delete, danger: true, run: leaving(() => deleteWithUndo(post)) },
        ]
      : [
          ...why,
          { label: text.hide, run: onHide ?? leaving(() => hideWithMessage(post, placement)) },
          { label: text.mute(author.displayName), run: leaving(() => mute(author)) },
          link,
          { label: text.report, danger: true, run: () => report(post, placement) },
          { label: text.block(author.displayName), danger: true, run: () => void block(author) },
        ]
  return <Menu label={text.label} items={items} />
}
