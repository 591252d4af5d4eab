import { render } from 'preact'
import { App } from './app'
import { startTracking } from './engagement/tracking'
import { feed } from './feed/feed-pages'
import { forgetFollows } from './people/follows'
import { forgetReactions } from './post/reactions'
import { startRouter } from './router'
import { session } from './session'
import './styles/base.css'
import './styles/controls.css'
import './styles/shell.css'
import './styles/photo.css'
import './styles/post.css'
import './styles/feed.css'
import './styles/people.css'
import './styles/upload.css'

const root = document.getElementById('app')
if (!root) throw new Error('index.html has no #app')

startRouter()
startTracking()

let personId: string | undefined
session.subscribe((current) => {
  const next = current?.person.id
  if (next === personId) return
  personId = next
  forgetFollows()
  forgetReactions()
  if (next !== undefined) void feed.restart()
})

render(<App />, root)
