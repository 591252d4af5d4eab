import { reporter } from './engagement/tracking'
import { navigate, paths } from './router'
import { signOut } from './session'
import { runWaiting } from './shell/later'

/** Ends the session. What was done so far is sent first: it belongs to this account. */
export async function leave(): Promise<void> {
  runWaiting()
  await reporter.flush()
  signOut()
  navigate(paths.feed, { replace: true })
}
