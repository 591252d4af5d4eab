import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { api } from '../session'
import { showError, showToast } from '../shell/toasts'
import { words } from '../words'

/** What is reported: the path of the call without `/report`, and what else the call sends. */
export interface Reportable {
  kind: 'photo' | 'comment' | 'person'
  path: string
  placement?: { receipt?: string | undefined }
  /** Called when the moderators have the report. */
  onReported?: () => void
}

const REASONS = [
  'spam',
  'nudity',
  'violence',
  'hate',
  'harassment',
  'self_harm',
  'child_safety',
  'illegal',
  'impersonation',
  'copyright',
  'false_information',
  'other',
] as const
const MAX_LENGTH = 1000

const reporting = signal<Reportable | null>(null)

/** Asks what is wrong, and tells the moderators. */
export function startReport(what: Reportable): void {
  reporting.value = what
}

/** The form of the report that is being written, if any. */
export function ReportDialog() {
  const what = reporting.value
  return what && <Form key={what.path} what={what} />
}

function Form({ what }: { what: Reportable }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [reason, setReason] = useState<string>('')
  const [text, setText] = useState('')
  const [sending, setSending] = useState(false)
  const label = words.report
  useEffect(() => dialog.current?.showModal(), [])

  const close = () => {
    reporting.value = null
  }
  const send = async (event: Event) => {
    event.preventDefault()
    setSending(true)
    try {
      await api.post(`${what.path}/report`, { ...what.placement, reason, text: text.trim() })
      what.onReported?.()
      showToast(label.reported)
      close()
    } catch (error) {
      showError(error)
      setSending(false)
    }
  }

  return (
    <dialog ref={dialog} class="confirm" aria-labelledby="report-title" onCancel={close}>
      <h2 id="report-title">{label.titles[what.kind]}</h2>
      <p class="muted">{label.hint}</p>
      <form class="fields" onSubmit={(event) => void send(event)}>
        <fieldset class="choices">
          <legend>{label.reason}</legend>
          {REASONS.map((one) => (
            <label key={one} class="choice">
              <input
                type="radio"
                name="reason"
                value={one}
                checked={reason === one}
                onChange={() => setReason(one)}
                required
              />
              {label.reasons[one]}
            </label>
          ))}
        </fieldset>
        <label>
          {label.text}
          <textarea
            rows={3}
            maxLength={MAX_LENGTH}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <div class="form-actions">
          <button type="button" class="quiet" onClick={close}>
            {words.cancel}
          </button>
          <button type="submit" class="primary" disabled={sending || reason === ''}>
            {label.send}
          </button>
        </div>
      </form>
    </dialog>
  )
}
