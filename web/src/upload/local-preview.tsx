import { useEffect, useState } from 'preact/hooks'
import { PhotoIcon } from '../shell/icons'

/** The chosen file as the browser shows it. Most browsers cannot show HEIC; then its name stands in for it. */
export function LocalPreview({ file }: { file: File }) {
  const [url, setUrl] = useState<string>()
  const [cannotShow, setCannotShow] = useState(false)

  useEffect(() => {
    const made = URL.createObjectURL(file)
    setUrl(made)
    setCannotShow(false)
    return () => URL.revokeObjectURL(made)
  }, [file])

  if (cannotShow) {
    return (
      <div class="preview preview-blind">
        <PhotoIcon />
        <span>{file.name}</span>
        <span class="muted">Your browser has no preview of this file.</span>
      </div>
    )
  }
  return (
    <img class="preview" src={url} alt="What you are about to share" onError={() => setCannotShow(true)} />
  )
}
