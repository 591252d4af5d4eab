import { render } from 'preact'
import { stopNotifications, watchNotifications } from './activity/notifications'
import { App } from './app'
import { startTracking } from './engagement/tracking'
import { feed, feedScroll } from './feed/feed-pages'
import { keepFeed, restoreFeed } from './feed/kept-feed'
import { forgetLists } from './kept-lists'
import { chosenLanguage, languageFor } from './language'
import { forgetFollows } from './people/follows'
import { forgetProfile } from './people/profiles'
import { countRequests, requestCount } from './people/request-count'
import { forgetEdits } from './post/edit-post'
import { forgetGone } from './post/gone'
import { forgetReactions } from './post/reactions'
import { startRouter } from './router'
import { loadSession, session } from './session'
import { takeBackAll } from './shell/when-online'
import { askBeforeLeaving, forgetDrafts, restoreDrafts } from './upload/queue'
import { takeFilesAnywhere } from './upload/take-files'
import { loadWords } from './words'
import './styles/base.css'
import './styles/controls.css'
import './styles/shell.css'
import './styles/photo.css'
import './styles/post.css'
import './styles/feed.css'
import './styles/people.css'
import './styles/explore.css'
import './styles/upload.css'
import './styles/viewer.css'
import './styles/settings.css'
import './styles/activity.css'
import './styles/admin.css'

const root = document.getElementById('app')
if (!root) throw new Error('index.html has no #app')

const language = languageFor(chosenLanguage(), navigator.languages)
document.documentElement.lang = language
// The page offers to try again if the server does not say who is signed in.
const isKnown = loadSession().catch((error: unknown) => console.warn('session:', error))
await Promise.all([loadWords(language), isKnown])

startRouter()
startTracking()
takeFilesAnywhere()
askBeforeLeaving()

let personId: string | undefined
let lastPersonId: string | undefined
session.subscribe((current) => {
  const next = current?.person.id
  if (next === personId) return
  personId = next
  // Drafts survive an expired session, if the same person signs in again.
  if (next !== undefined && next !== lastPersonId) {
    if (lastPersonId !== undefined) forgetDrafts()
    lastPersonId = next
    void restoreDrafts(next)
  }
  takeBackAll()
  forgetFollows()
  forgetReactions()
  forgetGone()
  forgetEdits()
  forgetLists()
  forgetProfile()
  requestCount.value = 0
  stopNotifications()
  if (next === undefined) return
  void countRequests()
  watchNotifications()
  const scrollTop = restoreFeed(next)
  feedScroll.value = scrollTop ?? 0
  if (scrollTop === null) void feed.restart()
})

addEventListener('pagehide', () => {
  if (personId !== undefined) keepFeed(personId, feedScroll.value)
})

render(<App />, root)
