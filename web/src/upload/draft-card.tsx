import { useEffect, useState } from 'preact/hooks'
import { paths } from '../router'
import { PhotoIcon } from '../shell/icons'
import { words } from '../words'
import { EditDialog } from './edit-dialog'
import { cancel, type Draft, edit, outcomeOf, remove, replaceFile, retry } from './queue'
import { MAX_ALT_TEXT_LENGTH, MAX_CAPTION_LENGTH, parseTags } from './tags'

/** One chosen photo: its words or, once it is shared, its progress and outcome. */
export function DraftCard({ draft }: { draft: Draft }) {
  const [unseen, setUnseen] = useState<File | null>(null)
  return (
    <article class="draft" aria-label={draft.file.name}>
      <LocalPreview file={draft.file} cannotShow={unseen === draft.file} onUnseen={setUnseen} />
      <div class="draft-side">
        {draft.state.stage === 'draft' ? (
          <Words draft={draft} canEdit={unseen !== draft.file} />
        ) : (
          <Progress draft={draft} />
        )}
      </div>
    </article>
  )
}

function Words({ draft: { id, caption, altText, tags, file }, canEdit }: { draft: Draft; canEdit: boolean }) {
  const [isEditing, setEditing] = useState(false)
  const text = words.upload
  return (
    <>
      <label>
        {text.caption}
        <textarea
          rows={2}
          maxLength={MAX_CAPTION_LENGTH}
          value={caption}
          onInput={(event) => edit(id, { caption: event.currentTarget.value })}
        />
      </label>
      <label>
        {text.altText}
        <textarea
          rows={2}
          maxLength={MAX_ALT_TEXT_LENGTH}
          value={altText}
          onInput={(event) => edit(id, { altText: event.currentTarget.value })}
        />
      </label>
      <label>
        {text.tags}
        <input
          value={tags}
          onInput={(event) => edit(id, { tags: event.currentTarget.value })}
          placeholder={text.tagsExample}
          autocapitalize="none"
        />
      </label>
      <p class="caption chosen-tags" aria-live="polite">
        {parseTags(tags)
          .map((tag) => `#${tag}`)
          .join(' ')}
      </p>
      {!canEdit && (
        <p id={`no-edit-${id}`} class="muted">
          {text.noEdit}
        </p>
      )}
      <div class="form-actions">
        <button
          type="button"
          class="quiet"
          disabled={!canEdit}
          aria-describedby={canEdit ? undefined : `no-edit-${id}`}
          onClick={() => setEditing(true)}
        >
          {text.edit}
          <span class="visually-hidden"> {file.name}</span>
        </button>
        <button type="button" class="quiet" onClick={() => remove(id)}>
          {text.remove}
          <span class="visually-hidden"> {file.name}</span>
        </button>
      </div>
      {isEditing && (
        <EditDialog
          file={file}
          onEdited={(edited) => replaceFile(id, edited)}
          onClose={() => setEditing(false)}
        />
      )}
    </>
  )
}

function Progress({ draft }: { draft: Draft }) {
  const { state, id } = draft
  const { title, detail, canRetry } = describe(draft)
  const isOver = state.stage === 'done' || state.stage === 'failed'
  return (
    <>
      <div role="status" aria-live="polite">
        <h2>{title}</h2>
        <p class="muted">{detail}</p>
      </div>
      {!isOver && (
        <progress
          aria-label={words.upload.progress(draft.file.name)}
          max={1}
          value={state.stage === 'sending' ? state.fraction : state.stage === 'waiting' ? 0 : undefined}
        />
      )}
      <div class="form-actions">
        {/* What the server is processing continues without this page. */}
        {(state.stage === 'waiting' || state.stage === 'sending') && (
          <button type="button" class="quiet" onClick={() => cancel(id)}>
            {words.cancel}
          </button>
        )}
        {isOver && (
          <button type="button" class="quiet" onClick={() => remove(id)}>
            {words.dismiss}
          </button>
        )}
        {canRetry && (
          <button type="button" class="primary" onClick={() => retry(id)}>
            {words.retry}
          </button>
        )}
        {state.stage === 'done' && state.photo.status === 'ready' && (
          <a class="button primary" href={paths.post(state.photo.id)}>
            {words.upload.open}
          </a>
        )}
      </div>
    </>
  )
}

function describe({ state }: Draft): { title: string; detail: string; canRetry: boolean } {
  const text = words.upload
  switch (state.stage) {
    case 'sending':
      return { title: text.sending, detail: text.percent(state.fraction), canRetry: false }
    case 'processing':
      return { title: text.processing, detail: text.processingHint, canRetry: false }
    case 'done':
      return outcomeOf(state.photo)
    case 'failed':
      return { title: text.failed, detail: state.reason, canRetry: state.canRetry }
    default:
      return { title: text.waiting, detail: '', canRetry: false }
  }
}

interface LocalPreviewProps {
  file: File
  cannotShow: boolean
  onUnseen: (file: File) => void
}

/** A preview of the chosen file. Most browsers cannot show HEIC; then its name is shown instead. */
function LocalPreview({ file, cannotShow, onUnseen }: LocalPreviewProps) {
  const [url, setUrl] = useState<string>()

  useEffect(() => {
    const objectUrl = URL.createObjectURL(file)
    setUrl(objectUrl)
    return () => URL.revokeObjectURL(objectUrl)
  }, [file])

  if (!cannotShow) {
    return (
      <img class="preview" src={url} alt={words.upload.preview(file.name)} onError={() => onUnseen(file)} />
    )
  }
  return (
    <div class="preview preview-blind">
      <PhotoIcon />
      <span>{file.name}</span>
      <span class="muted">{words.upload.noPreview}</span>
    </div>
  )
}
