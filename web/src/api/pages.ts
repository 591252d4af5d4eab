import { signal } from '@preact/signals'
import { Problem } from './problem'
import type { Page } from './types'

/** `expired`: the server no longer knows the list that was begun; only a restart helps. */
export type PagesState = 'ready' | 'loading' | 'failed' | 'expired' | 'complete'

/** A list that grows page by page along an opaque cursor. Loads one page at a time; a failed page can be tried again. */
export class Pages<T> {
  readonly items = signal<readonly T[]>([])
  readonly state = signal<PagesState>('ready')
  private cursor: string | null = null
  private generation = 0

  /**
   * @param fetchPage called with null for the first page
   * @param onFailure told every error; the list only remembers that it failed
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

  /** Empties the list and loads its first page again; a page still under way is ignored when it arrives. */
  restart(): Promise<void> {
    this.generation += 1
    this.items.value = []
    this.cursor = null
    this.state.value = 'ready'
    return this.more()
  }

  remove(isGone: (item: T) => boolean): void {
    this.items.value = this.items.value.filter((item) => !isGone(item))
  }
}
