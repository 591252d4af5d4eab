import type { ApiClient } from './client.js'
import { Problem } from './problem.js'
import { pauseAfter } from './retries.js'
import type { Texts } from './texts.js'

/**
 * PUTs a file to a presigned URL and reports the fraction sent, from 0 to 1. It is sent again after a lost connection.
 *
 * @throws Problem if the store refuses it or cannot be reached; an AbortError DOMException if aborted
 */
export async function putWithProgress(
  api: Pick<ApiClient, 'pause' | 'retries' | 'send' | 'texts'>,
  url: string,
  file: Blob,
  headers: Record<string, string>,
  onProgress: (fraction: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  // fetch does not report the progress of an upload; XMLHttpRequest does. Node has only fetch.
  const put = typeof XMLHttpRequest === 'undefined' ? putByFetch : putByXmlHttpRequest
  for (let attempt = 1; ; attempt++) {
    try {
      return await put(api, url, file, headers, onProgress, signal)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      const reply = error.status === 0 ? null : new Response(null, { status: error.status })
      const pause = pauseAfter(reply, attempt, api.retries)
      if (pause === null) throw error
      await api.pause(pause)
      signal?.throwIfAborted()
    }
  }
}

function putByXmlHttpRequest(
  api: Pick<ApiClient, 'texts'>,
  url: string,
  file: Blob,
  headers: Record<string, string>,
  onProgress: (fraction: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('PUT', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0)
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve()
      else reject(refusal(request.status, api.texts()))
    }
    request.onerror = () => reject(new Problem(0, 'store-unreachable', api.texts().storeUnreachable))
    request.onabort = () => reject(new DOMException('The upload was cancelled.', 'AbortError'))
    signal?.addEventListener('abort', () => request.abort())
    request.send(file)
  })
}

async function putByFetch(
  api: Pick<ApiClient, 'send' | 'texts'>,
  url: string,
  file: Blob,
  headers: Record<string, string>,
  onProgress: (fraction: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  let reply: Response
  try {
    reply = await api.send(url, { method: 'PUT', body: file, headers, ...(signal ? { signal } : {}) })
  } catch (error) {
    throw error instanceof TypeError
      ? new Problem(0, 'store-unreachable', api.texts().storeUnreachable)
      : error
  }
  if (!reply.ok) throw refusal(reply.status, api.texts())
  onProgress(1)
}

function refusal(status: number, texts: Texts): Problem {
  const text = status === 403 ? texts.uploadExpired : texts.storeRefused(status)
  return new Problem(status, 'store-refused', text)
}
