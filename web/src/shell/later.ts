/** As long as a message with “Undo” is shown. */
export const UNDO_MS = 7000

interface Waiting {
  run: (isClosing: boolean) => void
  timer: ReturnType<typeof setTimeout>
}

const waiting = new Set<Waiting>()

/**
 * Runs an action after the time to undo it, or at once when the page is being closed.
 *
 * @param run called with whether the page is being closed, so that requests must outlive it
 * @returns undoes it: the action does not run, unless it has run already
 */
export function later(run: (isClosing: boolean) => void, ms = UNDO_MS): () => void {
  const entry: Waiting = { run, timer: setTimeout(() => finish(entry, false), ms) }
  waiting.add(entry)
  return () => {
    clearTimeout(entry.timer)
    waiting.delete(entry)
  }
}

/** Runs what is still waiting: the page may never be shown again, or another person signs in. */
export function runWaiting(): void {
  for (const entry of [...waiting]) finish(entry, true)
}

function finish(entry: Waiting, isClosing: boolean): void {
  clearTimeout(entry.timer)
  if (waiting.delete(entry)) entry.run(isClosing)
}
