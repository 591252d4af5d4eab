import type { Draft } from './queue'

/** What is kept of a draft on this device, so that it survives a reload. */
export type KeptDraft = Pick<Draft, 'id' | 'file' | 'caption' | 'altText' | 'tags'>

type Words = Omit<KeptDraft, 'id' | 'file'>

/** Files apart from words: a file would be copied at each key press. */
const FILES = 'files'
const WORDS = 'words'
const NAME = 'photofeed-drafts'

/** Null where nothing is kept: in browsers without storage, and in a second tab, which would share each photo again. */
let store: IDBDatabase | null = null
let owner = ''

/** The kept drafts of a person; those of others are deleted. From now on this tab keeps drafts. */
export async function keptDrafts(personId: string): Promise<KeptDraft[]> {
  owner = personId
  store ??= await openAlone()
  if (store === null) return []
  const reading = store.transaction([FILES, WORDS], 'readwrite')
  const files = await done<{ id: number; owner: string; file: File }[]>(reading.objectStore(FILES).getAll())
  const kept: KeptDraft[] = []
  for (const { id, owner, file } of files) {
    if (owner === personId) {
      const words = await done<Words | undefined>(reading.objectStore(WORDS).get(id))
      kept.push({ id, file, caption: '', altText: '', tags: '', ...words })
    } else {
      reading.objectStore(FILES).delete(id)
      reading.objectStore(WORDS).delete(id)
    }
  }
  return kept
}

export function keepFile(id: number, file: File): void {
  write(FILES, (files) => files.put({ id, owner, file }, id))
}

export function keepWords(id: number, { caption, altText, tags }: Words): void {
  write(WORDS, (words) => words.put({ caption, altText, tags }, id))
}

/** Forgets a draft that was removed, or that the server has. */
export function drop(id: number): void {
  for (const name of [FILES, WORDS]) write(name, (drafts) => drafts.delete(id))
}

/** Forgets all drafts: nobody else who uses this device may find them. */
export function dropAll(): void {
  for (const name of [FILES, WORDS]) write(name, (drafts) => drafts.clear())
}

function write(name: string, change: (drafts: IDBObjectStore) => IDBRequest): void {
  if (store === null) return
  const writing = store.transaction(name, 'readwrite')
  change(writing.objectStore(name))
  // Without space, a draft lives as long as its page, which asks before it is left.
  writing.onabort = () => console.warn('drafts:', writing.error)
}

async function openAlone(): Promise<IDBDatabase | null> {
  if (!('indexedDB' in globalThis) || !navigator.locks || !(await isOnlyTab())) return null
  const opening = indexedDB.open(NAME, 1)
  opening.onupgradeneeded = () => {
    for (const name of [FILES, WORDS]) opening.result.createObjectStore(name)
  }
  try {
    return await done(opening)
  } catch (error) {
    console.warn('drafts:', error)
    return null
  }
}

/** Whether no other tab keeps drafts. The lock is held until this tab is closed. */
function isOnlyTab(): Promise<boolean> {
  return new Promise((resolve) => {
    void navigator.locks.request(NAME, { ifAvailable: true }, (lock) => {
      resolve(lock !== null)
      return lock === null ? undefined : new Promise<never>(() => {})
    })
  })
}

function done<T>(request: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T)
    request.onerror = () => reject(request.error ?? new Error('the browser refused'))
  })
}
