import type { Texts } from 'photofeed-client'
import { words } from './words'

/** The API client's own messages, in the user's language. */
export function texts(): Texts {
  const { errors, upload } = words
  return {
    unreachable: errors.unreachable,
    emptyStream: errors.emptyStream,
    statusLost: upload.statusLost,
    storeUnreachable: upload.storeUnreachable,
    uploadExpired: upload.expired,
    storeRefused: upload.storeRefused,
  }
}
