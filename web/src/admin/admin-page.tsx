import { isAbort } from 'photofeed-client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { paths } from '../router'
import { api } from '../session'
import { InfiniteScroll } from '../shell/infinite-scroll'
import { TimeAgo } from '../shell/relative-time'
import { showError, showToast } from '../shell/toasts'
import { useTitle } from '../title'
import { words } from '../words'
import { AdminTabs } from './admin-tabs'
import {
  type Command,
  commandOf,
  type Decision,
  decide,
  decisionList,
  idOf,
  type Waiting,
  waitingList,
} from './moderation'

/** For moderators: what waits for a decision, and what was decided. */
export function AdminPage() {
  const [list, setList] = useState<'queue' | 'history'>('queue')
  const text = words.admin
  useTitle(text.title)
  return (
    <main class="column wide admin">
      <h1>{text.title}</h1>
      <AdminTabs />
      <div class="tabs">
        {(['queue', 'history'] as const).map((one) => (
          <button key={one} type="button" aria-pressed={list === one} onClick={() => setList(one)}>
            {text[one]}
          </button>
        ))}
      </div>
      {list === 'queue' ? <Queue /> : <History />}
    </main>
  )
}

function Queue() {
  const [pages] = useState(waitingList)
  const [at, setAt] = useState(0)
  const [reason, setReason] = useState('')
  const isBusy = useRef(false)
  const items = pages.items.value
  const current = Math.min(at, items.length - 1)
  const text = words.admin

  const rule = async (item: Waiting | undefined, decision: 'approve' | 'reject') => {
    if (!item || isBusy.current) return
    isBusy.current = true
    try {
      await decide(item, decision, reason.trim() || text.reasons[decision])
      pages.remove((one) => idOf(one) === idOf(item))
      setReason('')
      showToast(text.decided[decision])
    } catch (error) {
      showError(error)
    } finally {
      isBusy.current = false
    }
  }
  const run = (command: Command) => {
    if (command === 'next') setAt(Math.min(current + 1, items.length - 1))
    else if (command === 'previous') setAt(Math.max(current - 1, 0))
    else void rule(items[current], command)
  }
  const latest = useRef(run)
  latest.current = run
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const command = commandOf(event)
      if (command === null) return
      event.preventDefault()
      latest.current(command)
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])

  return (
    <>
      <p class="muted">{text.keys}</p>
      <label class="admin-reason">
        {text.reason}
        <input maxLength={1000} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <ul>
        {items.map((item, index) => (
          <li key={idOf(item)}>
            <QueueItem
              item={item}
              isCurrent={index === current}
              onRule={(decision) => rule(item, decision)}
            />
          </li>
        ))}
      </ul>
      <InfiniteScroll pages={pages} waiting={<p class="ending muted">{words.loading}</p>}>
        {items.length === 0 && <p class="ending muted">{text.empty}</p>}
      </InfiniteScroll>
    </>
  )
}

interface QueueItemProps {
  item: Waiting
  isCurrent: boolean
  onRule: (decision: 'approve' | 'reject') => Promise<void>
}

function QueueItem({ item, isCurrent, onRule }: QueueItemProps) {
  const article = useRef<HTMLElement>(null)
  const text = words.admin
  useEffect(() => {
    if (isCurrent) article.current?.scrollIntoView({ block: 'nearest' })
  }, [isCurrent])
  return (
    <article ref={article} class="admin-item" aria-current={isCurrent ? 'true' : undefined}>
      {item.kind === 'photo' && <Preview photoId={item.photoId} />}
      <div>
        <h2>
          {text.kinds[item.kind]}{' '}
          <span class="muted">
            <TimeAgo at={item.createdAt} />
          </span>
        </h2>
        <Contents item={item} />
        <ul class="admin-reasons">
          {item.reasons.map(({ reason, count, texts }) => (
            <li key={reason}>
              {count} × {words.report.reasons[reason]}
              {texts.map((one) => (
                <q key={one}>{one}</q>
              ))}
            </li>
          ))}
        </ul>
        <div class="form-actions">
          <button type="button" class="quiet" onClick={() => void onRule('reject')}>
            {text.reject}
          </button>
          <button type="button" class="primary" onClick={() => void onRule('approve')}>
            {text.approve}
          </button>
        </div>
      </div>
    </article>
  )
}

function Contents({ item }: { item: Waiting }) {
  switch (item.kind) {
    case 'photo':
      return (
        <>
          {item.caption && <p>{item.caption}</p>}
          {item.altText && <p class="muted">{item.altText}</p>}
          {item.model && <p class="muted">{`${item.model.version}: ${item.model.score ?? ''}`}</p>}
        </>
      )
    case 'comment':
      return (
        <>
          <p>{item.text}</p>
          <p>
            <a href={paths.profile(item.author.handle)}>@{item.author.handle}</a>{' '}
            <a href={paths.post(item.postId)}>{words.post.one}</a>
          </p>
        </>
      )
    case 'person':
      return (
        <>
          <p>
            <a href={paths.profile(item.person.handle)}>
              {item.person.displayName} @{item.person.handle}
            </a>
          </p>
          {item.bio && <p>{item.bio}</p>}
        </>
      )
  }
}

/** A photo in any state. An image element cannot send the token, so its bytes are fetched. */
function Preview({ photoId }: { photoId: string }) {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    const request = new AbortController()
    let made: string | null = null
    const load = async () => {
      const body = await api.stream(`/moderation/${photoId}/preview`, { signal: request.signal })
      made = URL.createObjectURL(await new Response(body).blob())
      if (request.signal.aborted) URL.revokeObjectURL(made)
      else setUrl(made)
    }
    load().catch((error: unknown) => {
      if (!isAbort(error)) showError(error)
    })
    return () => {
      request.abort()
      if (made !== null) URL.revokeObjectURL(made)
    }
  }, [photoId])
  return url === null ? (
    <div class="admin-preview" />
  ) : (
    <img class="admin-preview" src={url} alt={words.post.one} />
  )
}

function History() {
  const [pages] = useState(decisionList)
  const items = pages.items.value
  const text = words.admin
  return (
    <>
      <ul class="admin-history">
        {items.map((item) => (
          <li key={`${item.id} ${item.at}`}>
            <PastDecision item={item} />
          </li>
        ))}
      </ul>
      <InfiniteScroll pages={pages} waiting={<p class="ending muted">{words.loading}</p>}>
        {items.length === 0 && <p class="ending muted">{text.noHistory}</p>}
      </InfiniteScroll>
    </>
  )
}

function PastDecision({ item }: { item: Decision }) {
  const text = words.admin
  return (
    <>
      <span class="name">
        {text.kinds[item.kind]}: {text.outcomes[item.decision]}
      </span>{' '}
      {item.reason}{' '}
      <span class="muted">
        {item.decidedBy.kind === 'model' ? item.decidedBy.id : text.moderator} · <TimeAgo at={item.at} />
      </span>
    </>
  )
}
