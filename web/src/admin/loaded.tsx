import { isAbort } from 'photofeed-client'
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Ending } from '../shell/infinite-scroll'
import { showError } from '../shell/toasts'
import { words } from '../words'

interface LoadedProps<T> {
  title: string
  load: (signal: AbortSignal) => Promise<T>
  children: (found: T, reload: () => void) => ComponentChildren
}

/** A section with what the server says; each is loaded by itself, so that a slow system delays no other section. */
export function Loaded<T>({ title, load, children }: LoadedProps<T>) {
  const [found, setFound] = useState<T | null>(null)
  const [hasFailed, setFailed] = useState(false)
  const [turn, setTurn] = useState(0)
  const reload = () => {
    setFailed(false)
    setTurn((last) => last + 1)
  }
  useEffect(() => {
    const request = new AbortController()
    load(request.signal)
      .then(setFound)
      .catch((error: unknown) => {
        if (isAbort(error)) return
        setFailed(true)
        showError(error)
      })
    return () => request.abort()
  }, [load, turn])
  return (
    <section class="admin-section" aria-label={title} aria-busy={found === null && !hasFailed}>
      <h2>{title}</h2>
      {hasFailed && <Ending text={words.lists.failed} action={words.retry} onAction={reload} />}
      {found === null && !hasFailed && <p class="muted">{words.loading}</p>}
      {found !== null && !hasFailed && children(found, reload)}
    </section>
  )
}
