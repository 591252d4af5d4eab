import { useEffect, useMemo, useState } from 'preact/hooks'
import { Pages } from '../api/pages'
import type { Page, Post, Profile } from '../api/types'
import { reporter } from '../engagement/tracking'
import { Photo } from '../photo/photo'
import { learnReactions } from '../post/reactions'
import { paths } from '../router'
import { api, session } from '../session'
import { counted } from '../shell/count'
import { InfiniteScroll } from '../shell/infinite-scroll'
import { showError } from '../shell/toasts'
import { FollowButton } from './follow-button'
import { FollowRequests } from './follow-requests'
import { Followers } from './followers'
import { learnFollows } from './follows'
import { FollowsMe } from './follows-me'
import { Monogram } from './monogram'
import { PostViewer } from './post-viewer'

/** A person and the grid of their photos; with a `postId`, that photo opened above it. */
export function ProfilePage({ personId, postId }: { personId: string; postId: string | null }) {
  const posts = useMemo(() => postsOf(personId), [personId])
  const items = posts.items.value
  const isMine = personId === session.value?.person.id
  return (
    <main class="column wide" id="main">
      <ProfileHeader personId={personId} />
      {isMine && <FollowRequests />}
      {isMine && <Followers />}
      <ul class="grid">
        {items.map((post) => (
          <li key={post.id}>
            <a href={paths.post(personId, post.id)} aria-label={post.caption || 'Open photo'}>
              <Photo picture={post} alt="" edges={[150, 640]} narrow="33vw" wide="300px" ratio={1} />
            </a>
          </li>
        ))}
      </ul>
      <InfiniteScroll pages={posts} waiting={<p class="ending muted">Loading…</p>}>
        {items.length === 0 && <p class="ending muted">No photos for you to see here.</p>}
      </InfiniteScroll>
      {postId && <PostViewer personId={personId} postId={postId} posts={posts} />}
    </main>
  )
}

function ProfileHeader({ personId }: { personId: string }) {
  const [person, setPerson] = useState<Profile | null>(null)

  useEffect(() => {
    const request = new AbortController()
    setPerson(null)
    api.get<Profile>(`/users/${personId}`, { signal: request.signal }).then((profile) => {
      if (personId !== session.value?.person.id) reporter.report({ type: 'profile_visit', personId })
      learnFollows([profile])
      setPerson(profile)
    }, showError)
    return () => request.abort()
  }, [personId])

  if (!person) return <header class="profile" aria-busy="true" />
  return (
    <header class="profile">
      <Monogram person={person} large />
      <div>
        <h1>{person.displayName}</h1>
        <p class="muted">
          @{person.handle}
          {person.isPrivate && ' · private'}
          <FollowsMe key={person.id} person={person} />
        </p>
        <p class="profile-counts">
          <span>{counted(person.postCount, 'post')}</span>
          <span>{counted(person.followerCount, 'follower')}</span>
          <span>{counted(person.followingCount, 'follows', 'following')}</span>
        </p>
      </div>
      <FollowButton person={person} prominent />
    </header>
  )
}

function postsOf(personId: string): Pages<Post> {
  return new Pages<Post>(async (cursor) => {
    const query = new URLSearchParams({ limit: '24', ...(cursor ? { cursor } : {}) })
    const page = await api.get<Page<Post>>(`/users/${personId}/posts?${query}`)
    learnReactions(page.items)
    return page
  }, showError)
}
