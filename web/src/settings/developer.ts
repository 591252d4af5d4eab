import { signal } from '@preact/signals'

const STORAGE_KEY = 'photofeed.developer'

/** Whether the feed shows how it was ranked: model, scores, positions. */
export const developer = signal(localStorage.getItem(STORAGE_KEY) === 'true')

export function setDeveloper(on: boolean): void {
  localStorage.setItem(STORAGE_KEY, String(on))
  developer.value = on
}
