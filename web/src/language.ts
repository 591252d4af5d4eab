/** The languages of the app, in their own words. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' } as const

export type Language = keyof typeof LANGUAGES

const STORAGE_KEY = 'photofeed.language'

/** The language that the user chose; null if the browser's decides. */
export function chosenLanguage(): Language | null {
  const stored = localStorage.getItem(STORAGE_KEY)
  return stored !== null && stored in LANGUAGES ? (stored as Language) : null
}

export function chooseLanguage(language: Language | null): void {
  if (language) localStorage.setItem(STORAGE_KEY, language)
  else localStorage.removeItem(STORAGE_KEY)
}

/** The chosen language or, of the browser's, the first that the app has. */
export function languageFor(chosen: Language | null, browser: readonly string[]): Language {
  const known = browser.map((tag) => tag.split('-')[0] ?? '').find((code) => code in LANGUAGES)
  return chosen ?? (known as Language | undefined) ?? 'en'
}
