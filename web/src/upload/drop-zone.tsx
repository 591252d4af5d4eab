import { useState } from 'preact/hooks'
import { PhotoIcon } from '../shell/icons'
import { showToast } from '../shell/toasts'

const ACCEPTED = 'image/jpeg,image/png,image/webp,image/heic,image/heif,.heic,.heif'
/** Some systems have no media type for HEIC, so the name counts as well. */
const PHOTO_NAME = /\.(jpe?g|png|webp|heic|heif)$/i

/** Where a photo is picked or dropped. */
export function DropZone({ onChoose }: { onChoose: (file: File) => void }) {
  const [isOver, setIsOver] = useState(false)

  const take = (files: FileList | null | undefined) => {
    const file = files?.[0]
    if (!file) return
    if (ACCEPTED.split(',').includes(file.type) || PHOTO_NAME.test(file.name)) onChoose(file)
    else showToast(`“${file.name}” is not a JPEG, PNG, WebP or HEIC photo.`)
  }

  return (
    <label
      class="drop-zone"
      data-over={isOver}
      onDragOver={(event) => {
        event.preventDefault()
        setIsOver(true)
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => {
        event.preventDefault()
        setIsOver(false)
        take(event.dataTransfer?.files)
      }}
    >
      <PhotoIcon />
      <span>Drop a photo here, or choose one</span>
      <span class="muted">JPEG, PNG, WebP or HEIC</span>
      <input
        class="visually-hidden"
        type="file"
        accept={ACCEPTED}
        onChange={(event) => take(event.currentTarget.files)}
      />
    </label>
  )
}
