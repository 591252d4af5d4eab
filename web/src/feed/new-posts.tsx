import { Problem } from 'photofeed-client'
import { useEffect, useState } from 'preact/hooks'
import { api } from '../session'
import { words } from '../words'
import { currentSlate, feed } from './feed-pages'

const ASK_EVERY_MS = 60_000

/** A button above the feed when accounts that the user follows have posted since it was loaded. It covers nothing. */
export function NewPosts() {
  const slateId = currentSlate.value?.slateId
  const [count, setCount] = useState(0)

  useEffect(() => {
    setCount(0)
    if (slateId === undefined) return
    const ask = async () => {
      if (document.visibilityState === 'hidden') return
      setCount(await newPosts(slateId))
    }
    const timer = setInterval(() => void ask(), ASK_EVERY_MS)
    return () => clearInterval(timer)
  }, [slateId])

  const show = () => {
    scrollTo({ top: 0 })
    void feed.restart()
  }
  return (
    <div class="new-posts" role="status">
      {count > 0 && (
        <button type="button" class="primary" onClick={show}>
          {words.feed.newPosts(count)}
        </button>
      )}
    </div>
  )
}

/** How many; 0 if the server does not say, since nobody asked for this request. */
async function newPosts(slateId: string): Promise<number> {
  try {
    return (await api.get<{ newPosts: number }>(`/feed/new?slateId=${slateId}`)).newPosts
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return 0
  }
}
