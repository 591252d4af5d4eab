import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { words } from '../words'

export interface Question {
  title: string
  text: string
  /** The label of the button that says yes. */
  yes: string
}

const asked = signal<{ question: Question; answer: (yes: boolean) => void } | null>(null)

/** Asks before an action that cannot be undone. */
export function confirmed(question: Question): Promise<boolean> {
  asked.value?.answer(false)
  return new Promise((resolve) => {
    asked.value = {
      question,
      answer: (yes) => {
        asked.value = null
        resolve(yes)
      },
    }
  })
}

/** The question that is being asked, if any. */
export function Confirm() {
  const current = asked.value
  return current && <Dialog key={current.question.title} {...current} />
}

function Dialog({ question, answer }: { question: Question; answer: (yes: boolean) => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} class="confirm" aria-labelledby="confirm-title" onCancel={() => answer(false)}>
      <h2 id="confirm-title">{question.title}</h2>
      <p>{question.text}</p>
      <div class="form-actions">
        <button type="button" class="quiet" onClick={() => answer(false)}>
          {words.cancel}
        </button>
        <button type="button" class="primary" onClick={() => answer(true)}>
          {question.yes}
        </button>
      </div>
    </dialog>
  )
}
