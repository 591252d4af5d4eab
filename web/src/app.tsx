import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { codeFailed, loadOtherPages, otherPages } from './code-loading'
import { FeedPage } from './feed/feed-page'
import { feedScroll } from './feed/feed-pages'
import { NotFoundPage } from './not-found-page'
import { SignInPage } from './people/sign-in-page'
import { EditPost } from './post/edit-post'
import { ReportDialog } from './post/report-dialog'
import { openPost, type Route, route, scrollOfEntry } from './router'
import { loadSession, session, signInWays } from './session'
import { Confirm } from './shell/confirm'
import { Ending } from './shell/infinite-scroll'
import { Navigation } from './shell/navigation'
import { showError, Toasts } from './shell/toasts'
import { DropOverlay } from './upload/drop-overlay'
import { words } from './words'

const LOAD_AHEAD_MS = 3000

/** Signed out, every address shows the sign-in page and keeps its target. */
export function App() {
  return signInWays.value === null ? <NoServer /> : <SignedInOrOut />
}

/** The server did not say who is signed in. */
function NoServer() {
  return (
    <main class="column">
      <Ending text={words.lists.failed} action={words.retry} onAction={() => void retrySession()} />
      <Toasts />
    </main>
  )
}

async function retrySession(): Promise<void> {
  try {
    await loadSession()
  } catch (error) {
    showError(error)
  }
}

function SignedInOrOut() {
  const isSignedIn = session.value !== null
  const current: Route = isSignedIn ? route.value : { page: 'sign-in' }
  const postId = isSignedIn ? openPost.value : null
  // A tap opens the viewer at once: its code arrives after the first photos.
  useEffect(() => {
    const timer = setTimeout(loadOtherPages, LOAD_AHEAD_MS)
    return () => clearTimeout(timer)
  }, [])
  return (
    <>
      <div inert={postId !== null}>
        <button type="button" class="skip-link" onClick={focusMain}>
          {words.skip}
        </button>
        <Navigation />
        {session.value && <MountedFeed key={session.value.person.id} isShown={current.page === 'feed'} />}
        <OtherPage route={current} />
      </div>
      {postId !== null && <OpenPost postId={postId} />}
      <DropOverlay />
      <Toasts />
      <Confirm />
      <EditPost />
      <ReportDialog />
    </>
  )
}

/** The feed stays mounted while another page is open, so that its slate and scroll position are kept. */
function MountedFeed({ isShown }: { isShown: boolean }) {
  // A layout effect, so that listening ends before the page shrinks: the scroll to the top that follows must not be saved.
  useLayoutEffect(() => {
    if (!isShown) return
    scrollTo({ top: feedScroll.peek(), behavior: 'instant' })
    const savePosition = () => {
      feedScroll.value = scrollY
    }
    addEventListener('scroll', savePosition, { passive: true })
    return () => removeEventListener('scroll', savePosition)
  }, [isShown])

  return (
    <div hidden={!isShown}>
      <FeedPage isShown={isShown} />
    </div>
  )
}

function OtherPage({ route: current }: { route: Route }) {
  const pageKey = keyOf(current)
  const isFirst = useRef(true)
  useLayoutEffect(() => {
    if (pageKey !== 'feed') scrollTo({ top: scrollOfEntry(), behavior: 'instant' })
  }, [pageKey])
  // A new page takes the focus, so that screen readers read it and Tab starts in it; the first page does not.
  useEffect(() => {
    if (!isFirst.current) focusMain()
    isFirst.current = false
  }, [pageKey])

  switch (current.page) {
    case 'feed':
    case 'post':
      return null
    case 'sign-in':
      return <SignInPage />
    case 'not-found':
      return <NotFoundPage />
    default:
      return <LoadedPage key={pageKey} route={current} />
  }
}

type LaterRoute = Exclude<Route, { page: 'feed' | 'post' | 'sign-in' | 'not-found' }>

/** A page whose code may still have to be loaded. */
function LoadedPage({ route: current }: { route: LaterRoute }) {
  const pages = otherPages.value
  if (!pages) return <CodeLoading />
  switch (current.page) {
    case 'explore':
      return <pages.ExplorePage query={current.query} />
    case 'tag':
      return <pages.TagPage tag={current.tag} />
    case 'profile':
      return <pages.ProfilePage handle={current.handle} />
    case 'saved':
    case 'liked':
      return <pages.OwnListPage list={current.page} />
    case 'admin':
      return <pages.AdminPage />
    case 'health':
      return <pages.HealthPage />
    case 'explain':
      return <pages.ExplainPage />
    case 'activity':
      return <pages.ActivityPage />
    case 'requests':
      return <pages.RequestsPage />
    case 'connections':
      return <pages.ConnectionsPage handle={current.handle} list={current.list} />
    case 'likes':
      return <pages.LikesPage postId={current.postId} />
    case 'settings':
      return <pages.SettingsPage />
    case 'upload':
      return <pages.UploadPage />
  }
}

function OpenPost({ postId }: { postId: string }) {
  const pages = otherPages.value
  return pages ? <pages.Viewer postId={postId} /> : <CodeLoading />
}

function CodeLoading() {
  useEffect(loadOtherPages, [])
  const { failed } = words.lists
  return (
    <main class="column" aria-busy={!codeFailed.value}>
      {codeFailed.value && <Ending text={failed} action={words.retry} onAction={loadOtherPages} />}
    </main>
  )
}

/** Identifies the contents of a page: another key is another page. */
function keyOf(current: Route): string {
  switch (current.page) {
    case 'profile':
      return `@${current.handle}`
    case 'connections':
      return `@${current.handle}/${current.list}`
    case 'likes':
      return `${current.postId}/likes`
    case 'tag':
      return `#${current.tag}`
    case 'explore':
      return `explore?${current.query}`
    default:
      return current.page
  }
}

/** Not a link to an anchor: the page may be below a list that is still growing. */
function focusMain(): void {
  const mains = Array.from(document.querySelectorAll<HTMLElement>('main'))
  const main = mains.find((candidate) => !candidate.closest('[hidden]'))
  main?.setAttribute('tabindex', '-1')
  main?.focus({ preventScroll: true })
}
