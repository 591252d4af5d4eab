import type { Post } from 'photofeed-client'
import { useEffect, useRef } from 'preact/hooks'
import { mute } from '../people/person-actions'
import { hiddenText, unhide } from '../post/post-actions'
import { words } from '../words'

/** Takes the place and the focus of a post that was hidden, and offers to take that back. */
export function HiddenNote({ post }: { post: Post }) {
  const note = useRef<HTMLElement>(null)
  const text = hiddenText(post)
  useEffect(() => note.current?.focus({ preventScroll: true }), [])

  return (
    <section ref={note} class="hidden-note" tabIndex={-1} aria-label={text}>
      <p>{text}</p>
      <div class="form-actions">
        <button type="button" class="quiet" onClick={() => void unhide(post)}>
          {words.undo}
        </button>
        <button type="button" class="quiet" onClick={() => void mute(post.author)}>
          {words.menu.mute(post.author.displayName)}
        </button>
      </div>
    </section>
  )
}
