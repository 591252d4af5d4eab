import { signal } from '@preact/signals'
import { rankedList, type SlateFacts } from './slates'

const PAGE_SIZE = 15

/** The properties of the newest slate; null before the first one has loaded. */
export const currentSlate = signal<SlateFacts | null>(null)

/** How far the feed is scrolled down, in pixels, also while another page is shown. */
export const feedScroll = signal(0)

export const feed = rankedList('/feed', PAGE_SIZE, (slate) => {
  currentSlate.value = slate
})
