import { signal } from '@preact/signals'
import type { Photo } from 'photofeed-client'
import { isAbort, Problem, type UploadStage, uploadPhoto } from 'photofeed-client'
import { sentenceOf } from '../api/message'
import { forgetLists } from '../kept-lists'
import { api, session } from '../session'
import { showToast } from '../shell/toasts'
import { isWaiting } from '../shell/when-online'
import { translatedRefusal, words } from '../words'
import { drop, dropAll, keepFile, keepWords, keptDrafts } from './kept-drafts'
import { refusalOf } from './photo-file'
import { parseTags } from './tags'

export type DraftState =
  | { stage: 'draft' }
  | { stage: 'waiting' }
  | UploadStage
  /** `canRetry`: the same file may succeed later. */
  | { stage: 'failed'; reason: string; canRetry: boolean }

/** A chosen photo on its way to a post. */
export interface Draft {
  readonly id: number
  readonly file: File
  readonly caption: string
  readonly altText: string
  readonly tags: string
  readonly state: DraftState
}

/** More would share the same uplink and only finish later. */
const AT_ONCE = 2

/** The chosen photos, in the order in which they were added. They outlive the page, and its reload. */
export const drafts = signal<readonly Draft[]>([])
const uploads = new Map<number, AbortController>()
let lastId = 0

/** Adds files, each of which becomes a post. The ones that the API would refuse are named at once. */
export function addFiles(files: Iterable<File>): void {
  const added: Draft[] = []
  for (const file of files) {
    const refusal = refusalOf(file)
    if (refusal !== null) {
      showToast(refusal)
      continue
    }
    // Not the id of a kept draft.
    lastId = Math.max(lastId + 1, Date.now())
    keepFile(lastId, file)
    added.push({ id: lastId, file, caption: '', altText: '', tags: '', state: { stage: 'draft' } })
  }
  drafts.value = [...drafts.value, ...added]
}

export function edit(id: number, change: Partial<Pick<Draft, 'caption' | 'altText' | 'tags'>>): void {
  update(id, change)
  const edited = drafts.value.find((draft) => draft.id === id)
  if (edited) keepWords(id, edited)
}

/** Replaces the file of a draft by an edited one. */
export function replaceFile(id: number, file: File): void {
  update(id, { file })
  keepFile(id, file)
}

/** Adds the drafts that a person had when the page was closed. */
export async function restoreDrafts(personId: string): Promise<void> {
  const known = new Set(drafts.value.map(({ id }) => id))
  const kept = (await keptDrafts(personId)).filter(({ id }) => !known.has(id))
  drafts.value = [...kept.map((draft): Draft => ({ ...draft, state: { stage: 'draft' } })), ...drafts.value]
}

/** Shares all drafts, a few at a time. */
export function shareAll(): void {
  for (const draft of drafts.value)
    if (draft.state.stage === 'draft') update(draft.id, { state: { stage: 'waiting' } })
  startNext()
}

/** Starts an upload that failed, or was never started, again. */
export function retry(id: number): void {
  update(id, { state: { stage: 'waiting' } })
  startNext()
}

/** Stops an upload: the photo becomes a draft again, with its caption. */
export function cancel(id: number): void {
  uploads.get(id)?.abort()
  update(id, { state: { stage: 'draft' } })
}

export function remove(id: number): void {
  uploads.get(id)?.abort()
  drafts.value = drafts.value.filter((draft) => draft.id !== id)
  drop(id)
}

/** Stops all uploads and forgets all drafts: another person signs in. */
export function forgetDrafts(): void {
  for (const upload of uploads.values()) upload.abort()
  drafts.value = []
  dropAll()
}

/** Whether closing the page would lose something. */
export function hasUnsaved(): boolean {
  return (
    isWaiting() || drafts.value.some(({ state }) => state.stage !== 'done' && state.stage !== 'processing')
  )
}

/** Asks before the page is closed while drafts, uploads or changes that wait for a network would be lost. */
export function askBeforeLeaving(): void {
  addEventListener('beforeunload', (event) => {
    if (hasUnsaved()) event.preventDefault()
  })
}

function startNext(): void {
  for (const draft of drafts.value) {
    if (uploads.size >= AT_ONCE) return
    if (draft.state.stage === 'waiting' && !uploads.has(draft.id)) void run(draft)
  }
}

async function run({ id, file, caption, altText, tags }: Draft): Promise<void> {
  const upload = new AbortController()
  uploads.set(id, upload)
  try {
    await uploadPhoto(
      api,
      { file, caption: caption.trim(), altText: altText.trim(), tags: parseTags(tags) },
      (state) => {
        if (upload.signal.aborted) return
        if (state.stage === 'processing') drop(id)
        update(id, { state })
      },
      upload.signal,
    )
    // The profile has one more post.
    forgetLists(`@${session.value?.person.handle}`)
  } catch (error) {
    if (!isAbort(error)) update(id, { state: failureOf(error) })
  } finally {
    if (uploads.get(id) === upload) uploads.delete(id)
    startNext()
  }
}

function failureOf(error: unknown): DraftState {
  const isSignedOut = error instanceof Problem && error.isSignedOut
  // 403: the upload's address has expired.
  const canRetry = !(error instanceof Problem) || error.isTransient || isSignedOut || error.status === 403
  return { stage: 'failed', reason: isSignedOut ? words.signIn.ended : sentenceOf(error), canRetry }
}

/** What became of a photo, in words, and whether its file may be tried again. */
export function outcomeOf({ status, failure }: Photo): { title: string; detail: string; canRetry: boolean } {
  const why = failure && translatedRefusal(failure.code, failure.reason)
  const { published, publishedHint, inReview, inReviewHint, rejected, rejectedHint, failed, failedHint } =
    words.upload
  switch (status) {
    case 'ready':
      return { title: published, detail: publishedHint, canRetry: false }
    case 'review':
      return { title: inReview, detail: why ?? inReviewHint, canRetry: false }
    case 'rejected':
      return { title: rejected, detail: why ?? rejectedHint, canRetry: false }
    default:
      return { title: failed, detail: why ?? failedHint, canRetry: !isFault(failure?.code) }
  }
}

/** Codes of files that are what they are: the same bytes fail again. */
const FAULTS: readonly (string | undefined)[] = [
  'empty',
  'too_large',
  'not_an_image',
  'unsupported_format',
  'truncated',
  'damaged',
  'too_many_pixels',
]

function isFault(code: string | undefined): boolean {
  return FAULTS.includes(code)
}

function update(id: number, change: Partial<Draft>): void {
  drafts.value = drafts.value.map((draft) => (draft.id === id ? { ...draft, ...change } : draft))
}
