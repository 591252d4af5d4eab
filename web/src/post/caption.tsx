import type { Post } from 'photofeed-client'
import { useState } from 'preact/hooks'
import { paths } from '../router'
import { words } from '../words'
import { currentWords } from './edit-post'
import { partsOf } from './rich-text'
import { RichText } from './rich-text-view'

/** Longer captions, or those with more lines, are folded to about four lines (post.css). */
const FOLDED_LENGTH = 220
const FOLDED_LINES = 4

/** The caption and the tags that it does not contain. */
export function Caption({ post }: { post: Post }) {
  const { caption, tags } = currentWords(post)
  const [isFolded, setIsFolded] = useState(isLong(caption))
  if (!caption && tags.length === 0) return null
  const written = new Set(partsOf(caption).flatMap((part) => (part.kind === 'tag' ? part.tag : [])))
  return (
    <div class="caption-block">
      <p class="caption" data-folded={isFolded}>
        <RichText text={caption} />
        {tags
          .filter((tag) => !written.has(tag))
          .map((tag) => (
            <span key={tag}>
              {' '}
              <a class="tag" href={paths.tag(tag)}>{`#${tag}`}</a>
            </span>
          ))}
      </p>
      {isFolded && (
        <button type="button" class="link more" onClick={() => setIsFolded(false)}>
          {words.post.more}
        </button>
      )}
    </div>
  )
}

function isLong(caption: string): boolean {
  return caption.length > FOLDED_LENGTH || caption.split('\n').length > FOLDED_LINES
}
