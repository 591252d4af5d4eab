import { useEffect, useMemo, useState } from 'preact/hooks'
import { Pages } from '../api/pages'
import type { Comment, Page, Post } from '../api/types'
import { PersonLink } from '../people/monogram'
import { api } from '../session'
import { TimeAgo } from '../shell/relative-time'
import { showError } from '../shell/toasts'

const LONGEST = 1000

export function Comments({ post, onAdded }: { post: Post; onAdded: () => void }) {
  const comments = useMemo(
    () =>
      new Pages<Comment>((cursor) => {
        const query = new URLSearchParams({ limit: '20', ...(cursor ? { cursor } : {}) })
        return api.get<Page<Comment>>(`/posts/${post.id}/comments?${query}`)
      }, showError),
    [post.id],
  )
  useEffect(() => void comments.more(), [comments])

  const add = (comment: Comment) => {
    comments.add(comment)
    onAdded()
  }
  const { value: state } = comments.state
  return (
    <section class="comments" aria-label="Comments">
      <ul>
        {comments.items.value.map((comment) => (
          <li key={comment.id}>
            <PersonLink person={comment.author} /> {comment.text}{' '}
            <span class="muted">
              <TimeAgo at={comment.createdAt} />
            </span>
          </li>
        ))}
      </ul>
      {(state === 'ready' || state === 'failed') && (
        <button type="button" class="link" onClick={() => void comments.more()}>
          {state === 'failed' ? 'Try again' : 'More comments'}
        </button>
      )}
      <CommentForm postId={post.id} onAdded={add} />
    </section>
  )
}

function CommentForm({ postId, onAdded }: { postId: string; onAdded: (comment: Comment) => void }) {
  const [text, setText] = useState('')
  const [sending, setSending] = useState(false)

  const submit = async (event: Event) => {
    event.preventDefault()
    setSending(true)
    try {
      onAdded(await api.post<Comment>(`/posts/${postId}/comments`, { text: text.trim() }))
      setText('')
    } catch (error) {
      showError(error)
    } finally {
      setSending(false)
    }
  }

  return (
    <form class="comment-form" onSubmit={(event) => void submit(event)}>
      <input
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        maxLength={LONGEST}
        placeholder="Add a comment"
        aria-label="Add a comment"
      />
      <button type="submit" class="link" disabled={sending || text.trim() === ''}>
        Post
      </button>
    </form>
  )
}
