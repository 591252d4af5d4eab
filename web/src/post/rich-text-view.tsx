import { paths } from '../router'
import { partsOf } from './rich-text'

/** A text that people wrote, with its addresses, #tags and @mentions as links. */
export function RichText({ text }: { text: string }) {
  return (
    <>
      {partsOf(text).map((part, at) => {
        const key = `${at}${part.text}`
        switch (part.kind) {
          case 'tag':
            return (
              <a class="tag" key={key} href={paths.tag(part.tag)}>
                {part.text}
              </a>
            )
          case 'mention':
            return (
              <a class="tag" key={key} href={paths.profile(part.handle)}>
                {part.text}
              </a>
            )
          case 'url':
            return (
              <a class="tag" key={key} href={part.url} target="_blank" rel="noopener noreferrer nofollow ugc">
                {part.text}
              </a>
            )
          default:
            return part.text
        }
      })}
    </>
  )
}
