export const SIZES = ['phone', 'desktop'] as const
export type Size = (typeof SIZES)[number]

export interface Person {
  id: string
  handle: string
  displayName: string
  token: string
}

/** What tools/e2e/world.py has prepared. */
export interface World {
  url: string
  provider: string
  chromium: string
  /** The folder of the screenshots. */
  pictures: string
  /** To upload; each size has its own, since a feed shows near duplicates once. */
  files: Record<Size, { heic: string[]; jpegs: string[]; drafts: [string]; sideways: [string] }>
  authors: Record<'ada' | 'ben' | 'cleo', Person>
  people: Record<Size, Record<Role, Person>>
  /** Posts of the authors. */
  posts: string[]
}

export type Role =
  | 'reader'
  | 'uploader'
  | 'friend'
  | 'hider'
  | 'private'
  | 'asker'
  | 'victim'
  | 'troll'
  | 'editor'
  | 'leaver'
  | 'moderator'
  | 'operator'
