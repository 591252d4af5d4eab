import type { Notification } from 'photofeed-client'
import { useEffect } from 'preact/hooks'
import { Monogram } from '../people/monogram'
import { paths } from '../router'
import { InfiniteScroll } from '../shell/infinite-scroll'
import { TimeAgo } from '../shell/relative-time'
import { useTitle } from '../title'
import { words } from '../words'
import { markRead, notifications, unreadCount } from './notifications'

/** What happened to the user's photos, comments and account, the newest first, live. */
export function ActivityPage() {
  const { title, none } = words.activity
  useTitle(title)
  useEffect(() => void notifications.restart(), [])
  const items = notifications.items.value
  const unread = unreadCount.value
  // What is on the screen has been seen.
  useEffect(() => {
    if (unread > 0 && items.length > 0) void markRead()
  }, [unread, items.length])

  return (
    <main class="column wide activity">
      <h1>{title}</h1>
      <ul>
        {items.map((item) => (
          <li key={item.id} class={item.read ? '' : 'unread'}>
            <Row item={item} />
          </li>
        ))}
      </ul>
      <InfiniteScroll
        key={items.length === 0 ? 'first' : 'further'}
        pages={notifications}
        waiting={<p class="ending muted">{words.loading}</p>}
      >
        {items.length === 0 && <p class="ending muted">{none}</p>}
      </InfiniteScroll>
    </main>
  )
}

function Row({ item }: { item: Notification }) {
  const [actor] = item.actors
  const image = item.images['150'] ?? Object.values(item.images)[0]
  return (
    <a class="activity-row" href={targetOf(item)}>
      {actor && <Monogram person={actor} />}
      <span>
        {sentenceOf(item)}{' '}
        <span class="muted">
          <TimeAgo at={item.at} />
        </span>
        {!item.read && <span class="visually-hidden"> {words.activity.unread}</span>}
        {item.text && <span class="activity-text muted">{item.text}</span>}
      </span>
      {image && <img src={image.url} alt="" width={44} height={44} loading="lazy" />}
    </a>
  )
}

/** What a notification says. */
export function sentenceOf({ kind, actors, actorCount, decision, commentId }: Notification): string {
  const text = words.activity
  const name = actors[0]?.displayName ?? ''
  switch (kind) {
    case 'like':
      return actorCount > 1 ? text.likes(name, actorCount - 1) : text.like(name)
    case 'mention':
      return commentId ? text.mentionInComment(name) : text.mention(name)
    case 'comment':
    case 'reply':
    case 'follow':
    case 'follow_request':
    case 'follow_accepted':
      return text[kind](name)
    case 'photo_approved':
    case 'photo_rejected':
      return text[kind]
    case 'report_decided':
      return decision?.outcome === 'removed' ? text.reportRight : text.reportDismissed
  }
}

function targetOf({ kind, actors, postId }: Notification): string {
  if (kind === 'follow_request') return paths.requests
  if (postId && kind !== 'photo_rejected') return paths.post(postId)
  const [actor] = actors
  return actor ? paths.profile(actor.handle) : paths.activity
}
