import { Problem } from 'photofeed-client'
import { words } from '../words'
import { showToast } from './toasts'

/** What waits for a network, by what it changes. */
const waiting = new Map<string, (reason: DOMException) => void>()

/**
 * Sends a change; without a network, once there is one. It must be safe to repeat.
 *
 * @param name what is changed, such as the path: `takeBack` finds it by that
 * @returns the reply; rejects with an AbortError if the change was taken back before it was sent
 */
export async function whenOnline<T>(name: string, send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await send()
    } catch (error) {
      if (navigator.onLine || !(error instanceof Problem) || error.status !== 0) throw error
      showToast(words.errors.offline)
      await network(name)
    }
  }
}

/** Takes a change back that waits for a network. Returns whether one did. */
export function takeBack(name: string): boolean {
  const refuse = waiting.get(name)
  refuse?.(new DOMException('taken back', 'AbortError'))
  return refuse !== undefined
}

/** Takes back whatever waits: another person signs in. */
export function takeBackAll(): void {
  for (const name of [...waiting.keys()]) takeBack(name)
}

/** Whether closing the page would lose a change. */
export function isWaiting(): boolean {
  return waiting.size > 0
}

function network(name: string): Promise<void> {
  const wait = new Promise<void>((resolve, reject) => {
    waiting.set(name, reject)
    addEventListener('online', () => resolve(), { once: true })
  })
  return wait.finally(() => waiting.delete(name))
}
