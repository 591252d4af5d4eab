import type { TargetedEvent } from 'preact'
import { PhotoIcon } from '../shell/icons'
import { useTitle } from '../title'
import { words } from '../words'
import { DraftCard } from './draft-card'
import { ACCEPTED } from './photo-file'
import { addFiles, drafts, shareAll } from './queue'

/** Choose photos, add captions and tags, share them and watch their progress. Each photo becomes a post. */
export function UploadPage() {
  const chosen = drafts.value
  const unshared = chosen.filter(({ state }) => state.stage === 'draft').length
  useTitle(words.nav.upload)
  const share = (event: Event) => {
    event.preventDefault()
    shareAll()
  }
  return (
    <main class="column upload">
      <h1>{words.nav.upload}</h1>
      <form onSubmit={share}>
        <ul class="drafts">
          {chosen.map((draft) => (
            <li key={draft.id}>
              <DraftCard draft={draft} />
            </li>
          ))}
        </ul>
        <FileFields isFirst={chosen.length === 0} />
        {unshared > 0 && (
          <div class="form-actions">
            <button type="submit" class="primary">
              {words.upload.share(unshared)}
            </button>
          </div>
        )}
      </form>
    </main>
  )
}

/** Photos can be chosen from the device or, on phones, taken with the camera. */
function FileFields({ isFirst }: { isFirst: boolean }) {
  const text = words.upload
  return (
    <div class="file-fields">
      <label class={isFirst ? 'drop-zone' : 'drop-zone small'}>
        {isFirst && <PhotoIcon />}
        <span>{isFirst ? text.choose : text.chooseMore}</span>
        {isFirst && <span class="muted only-fine">{text.drop}</span>}
        {isFirst && <span class="muted">{text.formats}</span>}
        <input class="visually-hidden" type="file" accept={ACCEPTED} multiple onChange={takeFrom} />
      </label>
      <label class="drop-zone small only-coarse">
        <span>{text.camera}</span>
        <input
          class="visually-hidden"
          type="file"
          accept={ACCEPTED}
          capture="environment"
          onChange={takeFrom}
        />
      </label>
    </div>
  )
}

function takeFrom({ currentTarget: field }: TargetedEvent<HTMLInputElement>): void {
  addFiles(field.files ?? [])
  // The same file can be chosen again after it was removed.
  field.value = ''
}
