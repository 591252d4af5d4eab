import { useEffect, useRef, useState } from 'preact/hooks'
import { navigate, paths } from '../router'
import { api, session, signOut } from '../session'
import { saveFile } from '../shell/save-file'
import { showError, showToast } from '../shell/toasts'
import { words } from '../words'

const EXPORT_NAME = 'photofeed.zip'

/** A copy of everything that is stored about the user, and the end of the account. */
export function AccountData() {
  const text = words.settings
  const [isLeaving, setIsLeaving] = useState(false)
  const [isExporting, setIsExporting] = useState(false)

  const save = async () => {
    setIsExporting(true)
    try {
      saveFile(await api.file('/me/export'), EXPORT_NAME)
    } catch (error) {
      showError(error)
    } finally {
      setIsExporting(false)
    }
  }

  return (
    <section aria-labelledby="settings-data">
      <h2 id="settings-data">{text.data}</h2>
      <p class="muted">{text.exportHint}</p>
      <div class="form-actions">
        <button type="button" class="quiet" disabled={isExporting} onClick={() => void save()}>
          {text.export}
        </button>
        <button type="button" class="quiet danger" onClick={() => setIsLeaving(true)}>
          {text.deleteAccount}
        </button>
      </div>
      {isLeaving && <DeleteDialog onClose={() => setIsLeaving(false)} />}
    </section>
  )
}

function DeleteDialog({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [typed, setTyped] = useState('')
  const [sending, setSending] = useState(false)
  const text = words.settings
  const handle = session.value?.person.handle ?? ''
  useEffect(() => dialog.current?.showModal(), [])

  const remove = async (event: Event) => {
    event.preventDefault()
    setSending(true)
    try {
      await api.delete('/me', { headers: { 'confirm-deletion': handle } })
      await signOut()
      navigate(paths.feed, { replace: true })
      showToast(text.accountDeleted)
    } catch (error) {
      showError(error)
      setSending(false)
    }
  }

  return (
    <dialog ref={dialog} class="confirm" aria-labelledby="delete-title" onCancel={onClose}>
      <h2 id="delete-title">{text.deleteTitle}</h2>
      <p>{text.deleteText}</p>
      <form class="fields" onSubmit={(event) => void remove(event)}>
        <label>
          {text.typeHandle(handle)}
          <input
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
            autocapitalize="none"
            autocomplete="off"
          />
        </label>
        <div class="form-actions">
          <button type="button" class="quiet" onClick={onClose}>
            {words.cancel}
          </button>
          <button type="submit" class="quiet danger" disabled={sending || !isSame(typed, handle)}>
            {text.deleteForever}
          </button>
        </div>
      </form>
    </dialog>
  )
}

function isSame(typed: string, handle: string): boolean {
  return typed.trim().replace(/^@/, '').toLowerCase() === handle
}
