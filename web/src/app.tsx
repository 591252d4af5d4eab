import { useLayoutEffect, useRef } from 'preact/hooks'
import { FeedPage } from './feed/feed-page'
import { PeoplePage } from './people/people-page'
import { ProfilePage } from './people/profile-page'
import { type Route, route } from './router'
import { session } from './session'
import { Header } from './shell/header'
import { Toasts } from './shell/toasts'
import { UploadPage } from './upload/upload-page'

export function App() {
  const current: Route = session.value ? route.value : { page: 'people' }
  return (
    <>
      <button type="button" class="skip-link" onClick={focusMain}>
        Skip to content
      </button>
      <Header />
      {session.value && <KeptFeed key={session.value.person.id} isShown={current.page === 'feed'} />}
      <OtherPage route={current} />
      <Toasts />
    </>
  )
}

/** The feed stays mounted while another page is looked at, so that coming back finds the same slate at the same place. */
function KeptFeed({ isShown }: { isShown: boolean }) {
  const scrolledTo = useRef(0)

  // A layout effect, so that listening ends before the page shrinks: the scroll to the top that follows is not the reader's.
  useLayoutEffect(() => {
    if (!isShown) return
    scrollTo({ top: scrolledTo.current, behavior: 'instant' })
    const remember = () => {
      scrolledTo.current = scrollY
    }
    addEventListener('scroll', remember, { passive: true })
    return () => removeEventListener('scroll', remember)
  }, [isShown])

  return (
    <div hidden={!isShown}>
      <FeedPage />
    </div>
  )
}

function OtherPage({ route: current }: { route: Route }) {
  const place = current.page === 'profile' ? current.personId : current.page
  useLayoutEffect(() => {
    if (place !== 'feed') scrollTo({ top: 0, behavior: 'instant' })
  }, [place])

  switch (current.page) {
    case 'feed':
      return null
    case 'upload':
      return <UploadPage />
    case 'people':
      return <PeoplePage />
    case 'profile':
      return <ProfilePage key={current.personId} personId={current.personId} postId={current.postId} />
  }
}

/** The fragment belongs to the router, so the way past the header is not a link to an anchor. */
function focusMain(): void {
  const main = document.querySelector<HTMLElement>('div:not([hidden]) > main, #app > main')
  main?.setAttribute('tabindex', '-1')
  main?.focus()
}
