/** What the client says in its own errors; an app may replace it by its user's language. */
export interface Texts {
  unreachable: string
  emptyStream: string
  statusLost: string
  storeUnreachable: string
  uploadExpired: string
  storeRefused(status: number): string
}

export const ENGLISH: Texts = {
  unreachable: 'The server cannot be reached.',
  emptyStream: 'The server sent an empty stream.',
  statusLost: 'The state of the photo is not known.',
  storeUnreachable: 'The photo could not be sent: the connection failed.',
  uploadExpired: 'The address for the upload has expired.',
  storeRefused: (status) => `The store refused the photo (${status}).`,
}
