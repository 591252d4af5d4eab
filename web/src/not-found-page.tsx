import { paths } from './router'
import { useTitle } from './title'
import { words } from './words'

/** Shown for an address that no page has. */
export function NotFoundPage() {
  useTitle(words.notFound.title)
  return (
    <main class="column">
      <div class="ending">
        <h1>{words.notFound.title}</h1>
        <p>{words.notFound.text}</p>
        <a class="button quiet" href={paths.feed}>
          {words.notFound.home}
        </a>
      </div>
    </main>
  )
}
