import type { Page, Post } from 'photofeed-client'
import { Pages } from '../api/pages'
import { learnFollows } from '../people/follows'
import { api } from '../session'
import { showError } from '../shell/toasts'
import { learnReactions } from './reactions'

const PAGE_SIZE = 24

/** The posts of a call that returns them page by page. */
export function postList(path: string, parameters: Record<string, string> = {}): Pages<Post> {
  return new Pages<Post>(async (cursor) => {
    const query = new URLSearchParams({
      ...parameters,
      limit: `${PAGE_SIZE}`,
      ...(cursor ? { cursor } : {}),
    })
    const page = await api.get<Page<Post>>(`${path}?${query}`)
    learnPosts(page.items)
    return page
  }, showError)
}

/** Takes over what a reply says about posts and their authors. */
export function learnPosts(posts: readonly Post[]): void {
  const authors = posts.map(({ author }) => author)
  learnReactions(posts)
  learnFollows(authors)
}
