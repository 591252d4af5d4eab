import type { ApiClient } from '../api/client'
import type { Photo, UploadTicket } from '../api/types'
import { followPhoto } from './follow-photo'
import { putWithProgress } from './put-with-progress'

export interface Draft {
  file: File
  caption: string
  tags: string[]
}

export type UploadStage =
  | { stage: 'sending'; fraction: number }
  | { stage: 'processing' }
  | { stage: 'done'; photo: Photo }

/** The photo path as a client walks it: initiate, send the bytes to the store, complete, follow until it is decided. */
export async function uploadPhoto(
  api: ApiClient,
  { file, caption, tags }: Draft,
  onStage: (stage: UploadStage) => void,
  signal: AbortSignal,
): Promise<void> {
  onStage({ stage: 'sending', fraction: 0 })
  const { uploadUrl, photoId } = await api.post<UploadTicket>(
    '/photos/initiate',
    { byteSize: file.size },
    { signal },
  )
  await putWithProgress(uploadUrl, file, (fraction) => onStage({ stage: 'sending', fraction }), signal)
  onStage({ stage: 'processing' })
  await api.post<Photo>(`/photos/${photoId}/complete`, { caption, tags }, { signal })
  for await (const photo of followPhoto(api, photoId, signal)) {
    const isDecided = photo.status !== 'awaiting_upload' && photo.status !== 'processing'
    onStage(isDecided ? { stage: 'done', photo } : { stage: 'processing' })
  }
}
