import { signal } from '@preact/signals'

type OtherPages = typeof import('./other-pages')

/** The code of all pages except the feed; null until it has arrived. */
export const otherPages = signal<OtherPages | null>(null)
/** Whether the code could not be loaded. */
export const codeFailed = signal(false)

let isLoading = false

/** Loads the code, when a page needs it or a moment after the first view. */
export function loadOtherPages(): void {
  if (isLoading || otherPages.value) return
  isLoading = true
  codeFailed.value = false
  import('./other-pages')
    .then(
      (pages) => {
        otherPages.value = pages
      },
      () => {
        codeFailed.value = true
      },
    )
    .finally(() => {
      isLoading = false
    })
}
