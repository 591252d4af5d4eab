import type { Post } from 'photofeed-client'
import { Problem } from 'photofeed-client'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { reporter, useAttention } from '../engagement/tracking'
import { ActionBar } from '../post/action-bar'
import { Byline } from '../post/byline'
import { Caption } from '../post/caption'
import { Comments } from '../post/comments'
import { describe } from '../post/describe'
import { learnPosts } from '../post/post-lists'
import { PostMenu } from '../post/post-menu'
import { closePost, navigate, paths } from '../router'
import { api } from '../session'
import { CloseIcon, NextIcon, PreviousIcon } from '../shell/icons'
import { Ending } from '../shell/infinite-scroll'
import { showError } from '../shell/toasts'
import { setTitle } from '../title'
import { words } from '../words'
import { neighbours, walk } from './walk'
import { preload, WholePicture } from './whole-picture'

/**
 * One post above its page: the whole picture, its actions and comments. Back, Escape, a swipe down and the button close it.
 *
 * It is not a modal `dialog` element, because messages must stay readable and usable beside it; the page below is inert.
 */
export function Viewer({ postId }: { postId: string }) {
  const dialog = useRef<HTMLDivElement>(null)
  const list = walk.value?.posts() ?? []
  const { post: listed, previous, next, isLast } = neighbours(list, postId)
  const { post: found, state, retry } = useFoundPost(postId, listed !== undefined)
  const post = listed ?? found

  // Before it is painted: keys belong to it as soon as it is seen.
  useLayoutEffect(() => {
    const opener = document.activeElement
    dialog.current?.focus()
    document.documentElement.classList.add('viewer-open')
    return () => {
      document.documentElement.classList.remove('viewer-open')
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true })
    }
  }, [])
  useEffect(() => {
    if (isLast) walk.value?.more()
  }, [isLast])
  useEffect(() => {
    preload(next)
    preload(previous)
  }, [next, previous])
  useEffect(() => {
    if (post) setTitle(words.post.by(post.author.displayName))
  }, [post])

  const close = () => closePost(post ? paths.profile(post.author.handle) : null)
  const step = (direction: -1 | 1) => {
    const neighbour = direction === 1 ? next : previous
    if (neighbour) navigate(paths.post(neighbour.id))
  }
  const press = (event: KeyboardEvent) => {
    if (event.defaultPrevented) return
    if (event.key === 'Escape') close()
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement
    if (isTyping) return
    if (event.key === 'ArrowLeft') step(-1)
    else if (event.key === 'ArrowRight') step(1)
  }

  return (
    <div
      ref={dialog}
      class="viewer"
      role="dialog"
      aria-modal="true"
      aria-label={post ? words.post.by(post.author.displayName) : words.post.one}
      tabIndex={-1}
      onKeyDown={press}
    >
      {post && <OpenPost key={post.id} post={post} onStep={step} onClose={close} />}
      {!post && state === 'missing' && <p class="ending">{words.post.gone}</p>}
      {!post && state === 'failed' && (
        <Ending text={words.post.notLoaded} action={words.retry} onAction={retry} />
      )}
      <ViewerButton kind="close" label={words.close} onPress={close}>
        <CloseIcon />
      </ViewerButton>
      {previous && (
        <ViewerButton kind="previous" label={words.post.previous} onPress={() => step(-1)}>
          <PreviousIcon />
        </ViewerButton>
      )}
      {next && (
        <ViewerButton kind="next" label={words.post.next} onPress={() => step(1)}>
          <NextIcon />
        </ViewerButton>
      )}
    </div>
  )
}

interface ViewerButtonProps {
  kind: string
  label: string
  onPress: () => void
  children: preact.ComponentChildren
}

function ViewerButton({ kind, label, onPress, children }: ViewerButtonProps) {
  return (
    <button type="button" class={`viewer-button ${kind}`} aria-label={label} title={label} onClick={onPress}>
      {children}
    </button>
  )
}

interface OpenPostProps {
  post: Post
  onStep: (direction: -1 | 1) => void
  onClose: () => void
}

function OpenPost({ post, onStep, onClose }: OpenPostProps) {
  const stage = useRef<HTMLDivElement>(null)
  const placement = walk.value?.placement(post) ?? { postId: post.id }
  const [commentCount, setCommentCount] = useState(post.commentCount)
  useAttention(stage, placement)
  // One event per opened post: the placement is another object at every render.
  useEffect(() => reporter.report({ type: 'open', ...placement }), [post.id])

  return (
    <>
      <div class="stage" ref={stage}>
        <WholePicture post={post} alt={describe(post)} onStep={onStep} onClose={onClose} />
      </div>
      <div class="details">
        <Byline post={post}>
          <PostMenu post={post} placement={placement} onGone={onClose} />
        </Byline>
        <Caption post={post} />
        <ActionBar post={post} placement={placement} commentCount={commentCount} />
        <p>
          <a class="link" href={paths.likes(post.id)}>
            {words.likes.title}
          </a>
        </p>
        <Comments post={post} onCount={(by) => setCommentCount((count) => count + by)} />
      </div>
    </>
  )
}

/** The post, read from the server unless it is known from the list that it was opened from. */
function useFoundPost(postId: string, isListed: boolean) {
  const [post, setPost] = useState<Post | null>(null)
  const [state, setState] = useState<'loading' | 'missing' | 'failed'>('loading')
  const [attempt, setAttempt] = useState(0)

  useEffect(() => {
    if (isListed) return
    const request = new AbortController()
    setPost(null)
    setState('loading')
    postOf(postId, request.signal).then(
      (found) => {
        if (found) learnPosts([found])
        setPost(found)
        setState('missing')
      },
      (error: unknown) => {
        setState('failed')
        showError(error)
      },
    )
    return () => request.abort()
  }, [postId, isListed, attempt])

  const isThis = post?.id === postId
  return { post: isThis ? post : undefined, state, retry: () => setAttempt(attempt + 1) }
}

/** Null if there is no such post, or the user may not see it. */
async function postOf(postId: string, signal: AbortSignal): Promise<Post | null> {
  try {
    return await api.get<Post>(`/posts/${encodeURIComponent(postId)}`, { signal })
  } catch (error) {
    // 422: no id looks like this.
    if (error instanceof Problem && (error.status === 404 || error.status === 422)) return null
    throw error
  }
}
