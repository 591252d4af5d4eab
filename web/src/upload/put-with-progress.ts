import { Problem } from '../api/problem'

/**
 * PUTs a file to a presigned URL and reports how much of it has left, from 0 to 1.
 *
 * @throws Problem when the store refuses it or cannot be reached; an AbortError DOMException when aborted
 */
export function putWithProgress(
  url: string,
  file: Blob,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // fetch cannot tell how far an upload has come; XMLHttpRequest can.
    const request = new XMLHttpRequest()
    request.open('PUT', url)
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0)
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve()
      else reject(new Problem(request.status, 'store-refused', refusal(request.status)))
    }
    request.onerror = () => reject(new Problem(0, 'store-unreachable', 'The photo store cannot be reached.'))
    request.onabort = () => reject(new DOMException('The upload was cancelled.', 'AbortError'))
    signal.addEventListener('abort', () => request.abort())
    request.send(file)
  })
}

function refusal(status: number): string {
  if (status === 403) return 'The photo store refused the upload: its permission has run out. Try again.'
  return `The photo store refused the upload (status ${status}).`
}
