import { useEffect, useRef } from 'preact/hooks'
import type { Pages } from '../api/pages'
import type { Post } from '../api/types'
import { reporter } from '../engagement/tracking'
import { PostCard } from '../post/post-card'
import { paths } from '../router'
import { CloseIcon } from '../shell/icons'

interface PostViewerProps {
  personId: string
  postId: string
  posts: Pages<Post>
}

/** One photo of a profile, large, above the grid. Arrow keys walk along the grid, Escape goes back to it. */
export function PostViewer({ personId, postId, posts }: PostViewerProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const items = posts.items.value
  const at = items.findIndex((post) => post.id === postId)
  const post = items[at]
  const isMissing = !post && posts.state.value === 'complete'

  useEffect(() => dialog.current?.showModal(), [])
  const isThere = post !== undefined
  useEffect(() => {
    if (isThere) reporter.report({ type: 'open', postId })
  }, [isThere, postId])
  // A link may point at a photo that the grid has not reached yet.
  const mustLookFurther = !post && posts.state.value === 'ready'
  useEffect(() => {
    if (mustLookFurther) void posts.more()
  }, [mustLookFurther, posts])

  const walk = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLInputElement) return
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    const next = step === undefined ? undefined : items[at + step]
    if (next) location.replace(paths.post(personId, next.id))
  }
  const close = () => {
    location.hash = paths.profile(personId)
  }

  return (
    <dialog
      ref={dialog}
      class="viewer"
      aria-label="Photo"
      onClose={close}
      onKeyDown={walk}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <button
        type="button"
        class="viewer-close quiet"
        aria-label="Close"
        onClick={() => dialog.current?.close()}
      >
        <CloseIcon />
      </button>
      {post && <PostCard key={post.id} post={post} showing={{ postId }} eager />}
      {isMissing && <p class="ending">This photo is not here any more.</p>}
    </dialog>
  )
}
