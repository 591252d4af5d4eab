import { signal } from '@preact/signals'
import { isAbort, Problem } from 'photofeed-client'
import { sentenceOf } from '../api/message'
import { words } from '../words'
import { CloseIcon } from './icons'
import { UNDO_MS } from './later'

/** What a message offers to do, such as to undo. */
export interface ToastAction {
  label: string
  run: () => void
}

interface Toast {
  id: number
  text: string
  action: ToastAction | undefined
}

export const toasts = signal<readonly Toast[]>([])
const timers = new Map<number, ReturnType<typeof setTimeout>>()
let lastId = 0

/** Shows a sentence for a few seconds. A sentence that is visible already is shown anew, for as long again. */
export function showToast(text: string, action?: ToastAction): void {
  for (const same of toasts.value.filter((toast) => toast.text === text)) dismiss(same.id)
  lastId += 1
  const id = lastId
  toasts.value = [...toasts.value, { id, text, action }]
  timers.set(
    id,
    setTimeout(() => dismiss(id), UNDO_MS),
  )
}

/** Shows an error. Aborts are ignored; the sign-in page says that a session ended. */
export function showError(error: unknown): void {
  if (isAbort(error) || (error instanceof Problem && error.isSignedOut)) return
  showToast(sentenceOf(error))
}

function dismiss(id: number): void {
  clearTimeout(timers.get(id))
  timers.delete(id)
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, action }) => (
        <div class="toast" key={id}>
          <span>{text}</span>
          {action && (
            <button
              type="button"
              class="toast-action"
              onClick={() => {
                dismiss(id)
                action.run()
              }}
            >
              {action.label}
            </button>
          )}
          <button type="button" class="toast-close" aria-label={words.dismiss} onClick={() => dismiss(id)}>
            <CloseIcon />
          </button>
        </div>
      ))}
    </div>
  )
}
