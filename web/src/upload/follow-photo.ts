import type { ApiClient } from '../api/client'
import { serverSentEvents } from '../api/event-stream'
import { Problem } from '../api/problem'
import type { Photo, PhotoStatus } from '../api/types'

const FINAL: readonly PhotoStatus[] = ['ready', 'review', 'rejected', 'failed']
const ATTEMPTS = 5

export function isFinal(photo: Photo): boolean {
  return FINAL.includes(photo.status)
}

/**
 * Yields a photo's states until the final one. A stream that ends early is opened again, with growing pauses.
 *
 * @param pause waits so many milliseconds
 */
export async function* followPhoto(
  api: Pick<ApiClient, 'stream'>,
  photoId: string,
  signal: AbortSignal,
  pause: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
): AsyncGenerator<Photo> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await pause(500 * 2 ** attempt)
    try {
      for await (const { event, data } of serverSentEvents(
        await api.stream(`/photos/${photoId}/status`, { signal }),
      )) {
        if (event !== 'status') continue
        const photo = JSON.parse(data) as Photo
        yield photo
        if (isFinal(photo)) return
      }
    } catch (error) {
      // A connection that breaks in mid-stream is a TypeError in every browser.
      const isBroken = error instanceof TypeError || (error instanceof Problem && error.isTransient)
      if (!isBroken) throw error
    }
  }
  throw new Problem(
    0,
    'status-lost',
    'Lost sight of the photo. It goes on by itself: look at your profile later.',
  )
}
