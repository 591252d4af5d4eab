import { messageOf, Problem } from 'photofeed-client'
import { translatedRefusal } from '../words'

/** A sentence about an error for the user, in the language of the app. */
export function sentenceOf(error: unknown): string {
  return error instanceof Problem ? translatedRefusal(error.code, error.detail) : messageOf(error)
}
