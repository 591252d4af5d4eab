import { useEffect, useRef, useState } from 'preact/hooks'
import { isAbort } from '../api/problem'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { DropZone } from './drop-zone'
import { LocalPreview } from './local-preview'
import { parseTags } from './tags'
import { UploadOutcome } from './upload-outcome'
import { type UploadStage, uploadPhoto } from './upload-photo'

const LONGEST_CAPTION = 2200

/** Choose a photo, say something about it, watch it become a post. */
export function UploadPage() {
  const [file, setFile] = useState<File | null>(null)
  const [caption, setCaption] = useState('')
  const [typedTags, setTypedTags] = useState('')
  const [stage, setStage] = useState<UploadStage | null>(null)
  const upload = useRef<AbortController | null>(null)
  const tags = parseTags(typedTags)

  // Leaving the page while bytes are on their way stops them; a photo that is being processed goes on by itself.
  useEffect(() => () => upload.current?.abort(), [])

  const start = async (event: Event) => {
    event.preventDefault()
    if (!file) return
    upload.current = new AbortController()
    try {
      await uploadPhoto(api, { file, caption: caption.trim(), tags }, setStage, upload.current.signal)
    } catch (error) {
      if (isAbort(error)) return
      setStage(null)
      showError(error)
    }
  }

  const startOver = () => {
    setFile(null)
    setCaption('')
    setTypedTags('')
    setStage(null)
  }

  if (!file) {
    return (
      <main class="column upload" id="main">
        <h1>New photo</h1>
        <DropZone onChoose={setFile} />
      </main>
    )
  }
  if (stage) {
    return (
      <main class="column upload" id="main">
        <UploadOutcome file={file} stage={stage} onAnother={startOver} onRetry={() => setStage(null)} />
      </main>
    )
  }
  return (
    <main class="column upload" id="main">
      <h1>New photo</h1>
      <LocalPreview file={file} />
      <form onSubmit={(event) => void start(event)}>
        <label>
          Caption
          <textarea
            rows={3}
            maxLength={LONGEST_CAPTION}
            value={caption}
            onInput={(event) => setCaption(event.currentTarget.value)}
          />
        </label>
        <label>
          Tags
          <input
            value={typedTags}
            onInput={(event) => setTypedTags(event.currentTarget.value)}
            placeholder="mountains, morning"
            autocapitalize="none"
          />
        </label>
        <p class="caption chosen-tags" aria-live="polite">
          {tags.map((tag) => (
            <span class="tag" key={tag}>{`#${tag} `}</span>
          ))}
        </p>
        <div class="form-actions">
          <button type="button" class="quiet" onClick={() => setFile(null)}>
            Another photo
          </button>
          <button type="submit" class="primary">
            Share
          </button>
        </div>
      </form>
    </main>
  )
}
