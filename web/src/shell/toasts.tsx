import { signal } from '@preact/signals'
import { isAbort, wordsFor } from '../api/problem'

interface Toast {
  id: number
  text: string
}

const SHOWN_MS = 7000
const toasts = signal<readonly Toast[]>([])
let lastId = 0

/** Shows a sentence for a few seconds. A sentence that is already there is not shown twice. */
export function showToast(text: string): void {
  if (toasts.value.some((toast) => toast.text === text)) return
  lastId += 1
  const id = lastId
  toasts.value = [...toasts.value, { id, text }]
  setTimeout(() => dismiss(id), SHOWN_MS)
}

/** Tells the person what went wrong, in the server's own words where it has some. */
export function showError(error: unknown): void {
  if (!isAbort(error)) showToast(wordsFor(error))
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text }) => (
        <div class="toast" key={id}>
          <span>{text}</span>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  )
}
