import { reporter } from './engagement/tracking'
import { navigate, paths } from './router'
import { signOut } from './session'
import { runWaiting } from './shell/later'
import { showError } from './shell/toasts'
import { dropAll } from './upload/kept-drafts'

/** Ends the session. What was done so far is sent first: it belongs to this account. */
export async function leave(): Promise<void> {
  try {
    runWaiting()
    await reporter.flush()
    const providerUrl = await signOut()
    dropAll()
    if (providerUrl === null) navigate(paths.feed, { replace: true })
    else location.assign(providerUrl)
  } catch (error) {
    showError(error)
  }
}
