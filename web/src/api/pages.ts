import { signal } from '@preact/signals'
import type { Page } from 'photofeed-client'
import { Problem } from 'photofeed-client'

/** `expired`: the list's cursor has expired on the server; only a restart helps. */
export type PagesState = 'ready' | 'loading' | 'failed' | 'expired' | 'complete'

/** What a list has loaded so far, to go on from there later. */
export interface PagesContents<T> {
  items: readonly T[]
  /** Null if the list is complete. */
  cursor: string | null
}

/** A list that is loaded page by page with an opaque cursor. A page that failed can be loaded again. */
export class Pages<T> {
  readonly items = signal<readonly T[]>([])
  readonly state = signal<PagesState>('ready')
  private cursor: string | null = null
  private generation = 0

  /**
   * @param fetchPage called with null for the first page
   * @param onFailure called with every error; the list itself only keeps the state `failed`
   */
  constructor(
    private readonly fetchPage: (cursor: string | null) => Promise<Page<T>>,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  async more(): Promise<void> {
    if (this.state.value !== 'ready' && this.state.value !== 'failed') return
    const { generation } = this
    this.state.value = 'loading'
    try {
      const page = await this.fetchPage(this.cursor)
      if (generation !== this.generation) return
      this.items.value = [...this.items.value, ...page.items]
      this.cursor = page.nextCursor
      this.state.value = page.nextCursor === null ? 'complete' : 'ready'
    } catch (error) {
      if (generation !== this.generation) return
      this.state.value = error instanceof Problem && error.code === 'cursor_expired' ? 'expired' : 'failed'
      this.onFailure(error)
    }
  }

  /** Empties the list and loads its first page again. A page that is still loading is ignored when it arrives. */
  restart(): Promise<void> {
    this.generation += 1
    this.items.value = []
    this.cursor = null
    this.state.value = 'ready'
    return this.more()
  }

  remove(matches: (item: T) => boolean): void {
    this.items.value = this.items.value.filter((item) => !matches(item))
  }

  contents(): PagesContents<T> {
    return { items: this.items.value, cursor: this.cursor }
  }

  /** Continues a list that was loaded before. */
  restore({ items, cursor }: PagesContents<T>): void {
    this.generation += 1
    this.items.value = items
    this.cursor = cursor
    this.state.value = cursor === null ? 'complete' : 'ready'
  }
}
