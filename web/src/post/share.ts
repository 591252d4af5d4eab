import { isAbort } from '../api/problem'
import type { Post } from '../api/types'
import type { Showing } from '../engagement/attention'
import { paths } from '../router'
import { api } from '../session'
import { showError, showToast } from '../shell/toasts'

/** Hands the post's address to the system's share sheet, or to the clipboard where there is none. */
export async function sharePost(post: Post, { slateId, position }: Showing): Promise<void> {
  const url = new URL(paths.post(post.author.id, post.id), location.href).href
  try {
    if (navigator.share) {
      await navigator.share({ title: `Photo by ${post.author.displayName}`, url })
    } else {
      await navigator.clipboard.writeText(url)
      showToast('Link copied')
    }
    await api.post(`/posts/${post.id}/share`, { slateId, position })
  } catch (error) {
    // Closing the share sheet rejects with an abort: nothing was shared, and nothing went wrong.
    if (!isAbort(error)) showError(error)
  }
}
