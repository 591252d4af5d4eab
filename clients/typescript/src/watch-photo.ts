import type { ApiClient } from './client.js'
import { serverSentEvents } from './event-stream.js'
import { Problem } from './problem.js'
import type { Photo, PhotoStatus } from './types.js'

const FINAL: readonly PhotoStatus[] = ['ready', 'review', 'rejected', 'failed']
/** Streams that may break before the status is polled. */
const STREAMS = 3
const POLLS = 300
const POLL_MS = 2000
const RETRY_MS = 1000

export function isFinal(photo: Photo): boolean {
  return FINAL.includes(photo.status)
}

/** Yields a photo's states until the final one: by server-sent events or, if streams break, by polling. */
export async function* watchPhoto(
  api: Pick<ApiClient, 'stream' | 'get' | 'pause' | 'texts'>,
  photoId: string,
  signal?: AbortSignal,
): AsyncGenerator<Photo> {
  const last: Last = { id: '', status: null, retryMs: RETRY_MS }
  for (let stream = 0; stream < STREAMS; stream++) {
    if (stream > 0) await api.pause(last.retryMs * 2 ** (stream - 1))
    for await (const photo of oneStream(api, photoId, last, signal)) {
      yield photo
      if (isFinal(photo)) return
    }
  }
  for (let poll = 0; poll < POLLS; poll++) {
    const photo = await api.get<Photo>(`/photos/${photoId}`, signal ? { signal } : {})
    if (photo.status !== last.status) yield photo
    last.status = photo.status
    if (isFinal(photo)) return
    await api.pause(POLL_MS)
  }
  throw new Problem(0, 'status-lost', api.texts().statusLost)
}

interface Last {
  id: string
  status: PhotoStatus | null
  retryMs: number
}

/** The states of one stream until it ends or breaks; `last` is updated. */
async function* oneStream(
  api: Pick<ApiClient, 'stream'>,
  photoId: string,
  last: Last,
  signal?: AbortSignal,
): AsyncGenerator<Photo> {
  try {
    const options = {
      ...(signal ? { signal } : {}),
      ...(last.id ? { headers: { 'last-event-id': last.id } } : {}),
    }
    const body = await api.stream(`/photos/${photoId}/status`, options)
    if (body === null) return
    for await (const { event, data, id } of serverSentEvents(body, (ms) => {
      last.retryMs = ms
    })) {
      if (event !== 'status') continue
      const photo = JSON.parse(data) as Photo
      last.id = id ?? last.id
      last.status = photo.status
      yield photo
    }
  } catch (error) {
    // A connection that breaks during a stream is a TypeError in every browser.
    const isBroken = error instanceof TypeError || (error instanceof Problem && error.isTransient)
    if (!isBroken) throw error
  }
}
