import { signal } from '@preact/signals'
import type { Post } from 'photofeed-client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { MAX_ALT_TEXT_LENGTH, MAX_CAPTION_LENGTH, parseTags } from '../upload/tags'
import { words } from '../words'

type Edited = Pick<Post, 'caption' | 'altText' | 'tags'>

/** What posts say since they were edited; lists keep what they said when they were loaded. */
const edits = signal<ReadonlyMap<string, Edited>>(new Map())
const editing = signal<Post | null>(null)

/** The current words of a post. */
export function currentWords(post: Post): Edited {
  return edits.value.get(post.id) ?? post
}

export function startEditing(post: Post): void {
  editing.value = post
}

export function forgetEdits(): void {
  edits.value = new Map()
  editing.value = null
}

/** The form for the words of the post that is being edited, if any. */
export function EditPost() {
  const post = editing.value
  return post && <EditDialog key={post.id} post={post} />
}

function EditDialog({ post }: { post: Post }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const before = currentWords(post)
  const [caption, setCaption] = useState(before.caption)
  const [altText, setAltText] = useState(before.altText)
  const [tags, setTags] = useState(before.tags.join(', '))
  const text = words.edit
  useEffect(() => dialog.current?.showModal(), [])

  const close = () => {
    editing.value = null
  }
  const save = async (event: Event) => {
    event.preventDefault()
    try {
      const change = { caption: caption.trim(), altText: altText.trim(), tags: parseTags(tags) }
      const edited = await api.patch<Post>(`/posts/${post.id}`, change)
      edits.value = new Map([...edits.value, [post.id, edited]])
      close()
    } catch (error) {
      showError(error)
    }
  }

  return (
    <dialog ref={dialog} class="confirm" aria-labelledby="edit-title" onCancel={close}>
      <h2 id="edit-title">{text.title}</h2>
      <form class="fields" onSubmit={(event) => void save(event)}>
        <label>
          {words.upload.caption}
          <textarea
            rows={4}
            maxLength={MAX_CAPTION_LENGTH}
            value={caption}
            onInput={(event) => setCaption(event.currentTarget.value)}
          />
        </label>
        <label>
          {words.upload.altText}
          <textarea
            rows={2}
            maxLength={MAX_ALT_TEXT_LENGTH}
            value={altText}
            onInput={(event) => setAltText(event.currentTarget.value)}
          />
        </label>
        <label>
          {words.upload.tags}
          <input value={tags} onInput={(event) => setTags(event.currentTarget.value)} autocapitalize="none" />
        </label>
        <div class="form-actions">
          <button type="button" class="quiet" onClick={close}>
            {words.cancel}
          </button>
          <button type="submit" class="primary">
            {words.settings.save}
          </button>
        </div>
      </form>
    </dialog>
  )
}
