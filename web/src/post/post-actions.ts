import type { Post } from 'photofeed-client'
import type { Placement } from '../engagement/attention'
import { paths } from '../router'
import { api } from '../session'
import { later } from '../shell/later'
import { showError, showToast } from '../shell/toasts'
import { takeBack, whenOnline } from '../shell/when-online'
import { words } from '../words'
import { addTo, gonePosts, leavingPosts, noteDeleted, removeFrom } from './gone'
import { startReport } from './report-dialog'

/** Hides a post: it leaves the lists, and the next feed shows less of its author, its topic and similar photos. */
export async function hide(post: Post, { receipt }: Placement): Promise<void> {
  const path = hidePath(post)
  if (takeBack(path)) return
  addTo(gonePosts, post.id)
  try {
    await whenOnline(path, () => api.put<void>(path, { receipt }))
  } catch (error) {
    removeFrom(gonePosts, post.id)
    showError(error)
  }
}

/** Takes a hide back: the next feed is as if the post had not been hidden. */
export async function unhide(post: Post): Promise<void> {
  if (takeBack(hidePath(post))) return
  removeFrom(gonePosts, post.id)
  try {
    await whenOnline(hidePath(post), () => api.delete<void>(hidePath(post)))
  } catch (error) {
    addTo(gonePosts, post.id)
    showError(error)
  }
}

function hidePath(post: Post): string {
  return `/posts/${post.id}/hide`
}

/** As `hide`, where the list shows no note in place of the post. */
export function hideWithMessage(post: Post, placement: Placement): void {
  void hide(post, placement)
  showToast(hiddenText(post), { label: words.undo, run: () => void unhide(post) })
}

export function hiddenText({ author, topic }: Post): string {
  return words.hidden.text(author.displayName, topic)
}

/** Deletes the user's own post for everyone when it is too late to undo it. */
export function deleteWithUndo(post: Post): void {
  addTo(gonePosts, post.id)
  addTo(leavingPosts, post.id)
  const undo = () => {
    removeFrom(gonePosts, post.id)
    removeFrom(leavingPosts, post.id)
  }
  const forget = later((isClosing) => {
    api
      .delete<void>(`/photos/${post.id}`, { keepalive: isClosing })
      .then(() => noteDeleted(post.id))
      .catch((error: unknown) => {
        undo()
        showError(error)
      })
  })
  showToast(words.menu.deleted, {
    label: words.undo,
    run: () => {
      forget()
      undo()
    },
  })
}

/** Reports a post to the moderators. The one who reported it does not see it again. */
export function report(post: Post, { receipt }: Placement): void {
  startReport({
    kind: 'photo',
    path: `/posts/${post.id}`,
    placement: { receipt },
    onReported: () => addTo(gonePosts, post.id),
  })
}

export async function copyLink(post: Post): Promise<void> {
  try {
    await navigator.clipboard.writeText(new URL(paths.post(post.id), location.href).href)
    showToast(words.post.linkCopied)
  } catch (error) {
    showError(error)
  }
}
