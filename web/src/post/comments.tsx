import { useEffect, useState } from 'preact/hooks'
import type { Comment, Post } from '../api/types'
import { PersonLink } from '../people/monogram'
import { api } from '../session'
import { TimeAgo } from '../shell/relative-time'
import { showError } from '../shell/toasts'

const LONGEST = 2200

/** The latest comments, read downwards to the newest, and a line to add one's own. */
export function Comments({ post, onAdded }: { post: Post; onAdded: () => void }) {
  const [comments, setComments] = useState<readonly Comment[]>([])

  useEffect(() => {
    const request = new AbortController()
    api
      .get<{ items: Comment[] }>(`/posts/${post.id}/comments`, { signal: request.signal })
      .then(({ items }) => setComments(items.reverse()), showError)
    return () => request.abort()
  }, [post.id])

  const add = (comment: Comment) => {
    setComments((before) => [...before, comment])
    onAdded()
  }
  return (
    <section class="comments" aria-label="Comments">
      <ul>
        {comments.map((comment) => (
          <li key={comment.id}>
            <PersonLink person={comment.author} /> {comment.text}{' '}
            <span class="muted">
              <TimeAgo at={comment.createdAt} />
            </span>
          </li>
        ))}
      </ul>
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
