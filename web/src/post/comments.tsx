import type { Comment, Page, Post } from 'photofeed-client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { PersonLink } from '../people/monogram'
import { api, session } from '../session'
import { confirmed } from '../shell/confirm'
import { Menu, type MenuItem } from '../shell/menu'
import { TimeAgo } from '../shell/relative-time'
import { showError } from '../shell/toasts'
import { words } from '../words'
import { startReport } from './report-dialog'
import { RichText } from './rich-text-view'

const MAX_LENGTH = 2200
const PAGE_SIZE = 20

interface CommentsProps {
  post: Post
  /** Whether the field takes the focus when the comments are opened. */
  focusesField?: boolean
  /** Called when the number of comments changes. */
  onCount: (by: number) => void
}

/** The newest comments, the newest last, with older ones on demand and a field to add one. */
export function Comments({ post, focusesField = false, onCount }: CommentsProps) {
  const [comments, setComments] = useState<readonly Comment[]>([])
  const [older, setOlder] = useState<string | null>(null)
  const [answering, setAnswering] = useState<Comment | null>(null)

  const load = async (cursor: string | null, signal?: AbortSignal) => {
    const query = new URLSearchParams({ limit: `${PAGE_SIZE}`, ...(cursor ? { cursor } : {}) })
    try {
      const page = await api.get<Page<Comment>>(
        `/posts/${post.id}/comments?${query}`,
        signal ? { signal } : {},
      )
      setComments((newer) => [...page.items.reverse(), ...(cursor ? newer : [])])
      setOlder(page.nextCursor)
    } catch (error) {
      showError(error)
    }
  }
  useEffect(() => {
    const request = new AbortController()
    void load(null, request.signal)
    return () => request.abort()
  }, [post.id])

  const add = (comment: Comment) => {
    setComments((before) => [...before, comment])
    setAnswering(null)
    onCount(1)
  }
  const remove = async (comment: Comment) => {
    const { deleteTitle, deleteText, delete: yes } = words.comments
    if (!(await confirmed({ title: deleteTitle, text: deleteText, yes }))) return
    try {
      await api.delete<void>(`/posts/${post.id}/comments/${comment.id}`)
      setComments((before) => before.filter(({ id }) => id !== comment.id))
      onCount(-1)
    } catch (error) {
      showError(error)
    }
  }
  const itemsOf = (comment: Comment): MenuItem[] => {
    const me = session.value?.person.id
    const path = `/posts/${post.id}/comments/${comment.id}`
    const mayDelete = me === comment.author.id || me === post.author.id
    return [
      ...(mayDelete ? [{ label: words.comments.delete, danger: true, run: () => void remove(comment) }] : []),
      ...(me === comment.author.id
        ? []
        : [{ label: words.menu.report, danger: true, run: () => startReport({ kind: 'comment', path }) }]),
    ]
  }
  return (
    <section class="comments" aria-label={words.comments.title}>
      {older !== null && (
        <button type="button" class="link" onClick={() => void load(older)}>
          {words.comments.older}
        </button>
      )}
      <ul>
        {comments.map((comment) => (
          <li key={comment.id}>
            <CommentLine
              comment={comment}
              answered={comments.find(({ id }) => id === comment.replyTo)}
              onAnswer={() => setAnswering(comment)}
              items={itemsOf(comment)}
            />
          </li>
        ))}
      </ul>
      <CommentForm
        postId={post.id}
        takesFocus={focusesField}
        answering={answering}
        onStopAnswering={() => setAnswering(null)}
        onAdded={add}
      />
    </section>
  )
}

interface CommentLineProps {
  comment: Comment
  /** The comment that this one answers, if it is shown. */
  answered: Comment | undefined
  onAnswer: () => void
  /** What else can be done with it. */
  items: readonly MenuItem[]
}

function CommentLine({ comment, answered, onAnswer, items }: CommentLineProps) {
  const { author, text, createdAt, editedAt } = comment
  return (
    <>
      <PersonLink person={author} />{' '}
      {answered && <span class="muted">{words.comments.answerTo(answered.author.displayName)} </span>}
      <RichText text={text} />{' '}
      <span class="muted">
        <TimeAgo at={createdAt} />
        {editedAt && ` · ${words.comments.edited}`}
      </span>{' '}
      <button type="button" class="link answer" onClick={onAnswer}>
        {words.comments.answer}
        <span class="visually-hidden"> {author.displayName}</span>
      </button>
      <Menu label={words.comments.menu(author.displayName)} items={items} />
    </>
  )
}

interface CommentFormProps {
  postId: string
  takesFocus: boolean
  /** The comment that the new one answers. */
  answering: Comment | null
  onStopAnswering: () => void
  onAdded: (comment: Comment) => void
}

function CommentForm({ postId, takesFocus, answering, onStopAnswering, onAdded }: CommentFormProps) {
  const field = useRef<HTMLInputElement>(null)
  const [text, setText] = useState('')
  const [sending, setSending] = useState(false)
  useEffect(() => {
    if (takesFocus) field.current?.focus({ preventScroll: true })
  }, [takesFocus])
  useEffect(() => {
    if (answering) field.current?.focus()
  }, [answering])

  const submit = async (event: Event) => {
    event.preventDefault()
    setSending(true)
    try {
      onAdded(
        await api.post<Comment>(`/posts/${postId}/comments`, {
          text: text.trim(),
          ...(answering ? { replyTo: answering.id } : {}),
        }),
      )
      setText('')
    } catch (error) {
      showError(error)
    } finally {
      setSending(false)
    }
  }

  return (
    <form class="comment-form" onSubmit={(event) => void submit(event)}>
      {answering && (
        <p class="answering muted">
          {words.comments.answerTo(answering.author.displayName)}
          <button type="button" class="link" onClick={onStopAnswering}>
            {words.cancel}
          </button>
        </p>
      )}
      <div class="comment-field">
        <input
          ref={field}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          maxLength={MAX_LENGTH}
          placeholder={words.comments.add}
          aria-label={words.comments.add}
        />
        <button type="submit" class="link" disabled={sending || text.trim() === ''}>
          {words.comments.send}
        </button>
      </div>
    </form>
  )
}
