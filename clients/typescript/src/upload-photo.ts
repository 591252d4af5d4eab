import type { ApiClient } from './client.js'
import { putWithProgress } from './put-with-progress.js'
import type { Photo, UploadTicket } from './types.js'
import { isFinal, watchPhoto } from './watch-photo.js'

export interface Draft {
  file: Blob
  caption?: string
  /** What the photo shows, for people who do not see it. */
  altText?: string
  tags?: string[]
  /** `avatar`: a profile picture, which becomes no post. */
  purpose?: 'post' | 'avatar'
}

export type UploadStage =
  | { stage: 'sending'; fraction: number }
  | { stage: 'processing' }
  | { stage: 'done'; photo: Photo }

/**
 * Uploads a photo: initiate, send the bytes to the store, complete, then follow the status until it is final.
 *
 * @returns the photo in its final state
 */
export async function uploadPhoto(
  api: ApiClient,
  { file, caption = '', altText = '', tags = [], purpose }: Draft,
  onStage: (stage: UploadStage) => void = () => {},
  signal?: AbortSignal,
): Promise<Photo> {
  const options = signal ? { signal } : {}
  onStage({ stage: 'sending', fraction: 0 })
  const { uploadUrl, photoId, headers } = await api.post<UploadTicket>(
    '/photos/initiate',
    { byteSize: file.size, ...(purpose ? { purpose } : {}) },
    options,
  )
  const onProgress = (fraction: number) => onStage({ stage: 'sending', fraction })
  await putWithProgress(api, uploadUrl, file, headers, onProgress, signal)
  let photo = await api.post<Photo>(`/photos/${photoId}/complete`, { caption, altText, tags }, options)
  // From here on the server continues by itself.
  onStage({ stage: 'processing' })
  for await (photo of watchPhoto(api, photoId, signal)) {
    onStage(isFinal(photo) ? { stage: 'done', photo } : { stage: 'processing' })
  }
  return photo
}
