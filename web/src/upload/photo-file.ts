import { words } from '../words'

/** Limits of the API (docs/clients.md). */
const MAX_BYTES = 50 * 2 ** 20
const TYPES = [
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/avif',
  'image/heic',
  'image/heif',
  'image/gif',
] as const
/** Some systems have no media type for HEIC, so the name is checked as well. */
const NAME = /\.(jpe?g|png|webp|avif|heic|heif|gif)$/i

/** For the attribute `accept` of a file field. */
export const ACCEPTED = [...TYPES, '.heic', '.heif'].join(',')

/** Why a file cannot be uploaded; null if it can. */
export function refusalOf({ name, type, size }: Pick<File, 'name' | 'type' | 'size'>): string | null {
  if (!TYPES.some((known) => known === type) && !NAME.test(name)) return words.upload.wrongType(name)
  if (size === 0) return words.upload.emptyFile(name)
  return size > MAX_BYTES ? words.upload.tooLarge(name) : null
}
