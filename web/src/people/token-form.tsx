import { useState } from 'preact/hooks'
import { paths } from '../router'
import { signInWithToken } from '../session'
import { showError } from '../shell/toasts'

/** Sign-in where the server has no demo people: paste a token that was made for you. */
export function TokenForm() {
  const [token, setToken] = useState('')

  const submit = async (event: Event) => {
    event.preventDefault()
    try {
      await signInWithToken(token.trim())
      location.hash = paths.feed
    } catch (error) {
      showError(error)
    }
  }

  return (
    <main class="column people" id="main">
      <h1>Sign in</h1>
      <p class="muted">This server has no demo people. Paste an access token.</p>
      <form class="people-tools" onSubmit={(event) => void submit(event)}>
        <input
          type="password"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
          autocomplete="off"
          placeholder="Token"
          aria-label="Access token"
        />
        <button type="submit" class="primary" disabled={token.trim() === ''}>
          Continue
        </button>
      </form>
    </main>
  )
}
