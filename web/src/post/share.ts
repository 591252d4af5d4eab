import type { Post } from 'photofeed-client'
import { isAbort } from 'photofeed-client'
import type { Placement } from '../engagement/attention'
import { paths } from '../router'
import { api } from '../session'
import { showError, showToast } from '../shell/toasts'
import { words } from '../words'

/** Opens the system's share sheet with the post's address, or copies it if there is no share sheet. */
export async function sharePost(post: Post, { receipt }: Placement): Promise<void> {
  const url = new URL(paths.post(post.id), location.href).href
  try {
    if (navigator.share) {
      await navigator.share({ title: words.post.by(post.author.displayName), url })
    } else {
      await navigator.clipboard.writeText(url)
      showToast(words.post.linkCopied)
    }
    await api.post(`/posts/${post.id}/share`, { receipt })
  } catch (error) {
    // Closing the share sheet rejects with an abort, which is not an error.
    if (!isAbort(error)) showError(error)
  }
}
