import type { Profile } from 'photofeed-client'
import { useEffect } from 'preact/hooks'
import { reporter } from '../engagement/tracking'
import { keptList } from '../kept-lists'
import { leavingPosts } from '../post/gone'
import { PostGrid } from '../post/post-grid'
import { postList } from '../post/post-lists'
import { paths } from '../router'
import { session } from '../session'
import { useTitle } from '../title'
import { words } from '../words'
import { FollowButton } from './follow-button'
import { following } from './follows'
import { FollowsMe } from './follows-me'
import { Monogram } from './monogram'
import { OwnTabs } from './own-tabs'
import { PersonMenu } from './person-menu'
import { ProfileState, useProfile } from './profiles'

/** A profile: the person and the grid of their photos. */
export function ProfilePage({ handle }: { handle: string }) {
  const profile = useProfile(handle)
  const { person, state, reload } = profile
  useTitle(person ? `${person.displayName} (@${person.handle})` : `@${handle}`)
  return (
    <main class="column wide">
      <ProfileState handle={handle} profile={profile} />
      {person && state !== 'missing' && <Contents key={person.id} person={person} onChange={reload} />}
    </main>
  )
}

function Contents({ person, onChange }: { person: Profile; onChange: () => void }) {
  const posts = keptList(`@${person.handle}`, () => postList(`/users/${person.id}/posts`))
  const isMine = person.id === session.value?.person.id
  const isClosed = person.isPrivate && !isMine && following(person).value !== 'yes'
  useEffect(() => {
    if (!isMine) reporter.report({ type: 'profile_visit', personId: person.id })
  }, [isMine, person.id])
  return (
    <>
      <ProfileHeader person={person} isMine={isMine} onChange={onChange} />
      {isMine && <OwnTabs handle={person.handle} />}
      <PostGrid
        pages={posts}
        postOf={(post) => post}
        ending={(isEmpty) => isEmpty && <NoPosts person={person} isMine={isMine} isClosed={isClosed} />}
      />
    </>
  )
}

function NoPosts({ person, isMine, isClosed }: { person: Profile; isMine: boolean; isClosed: boolean }) {
  if (isMine) {
    return (
      <div class="ending">
        <p>{words.profile.noneOfMine}</p>
        <a class="button quiet" href={paths.upload}>
          {words.profile.addFirst}
        </a>
      </div>
    )
  }
  const { none, hiddenPosts } = words.profile
  return <p class="ending muted">{(isClosed ? hiddenPosts : none)(person.displayName)}</p>
}

interface ProfileHeaderProps {
  person: Profile
  isMine: boolean
  onChange: () => void
}

function ProfileHeader({ person, isMine, onChange }: ProfileHeaderProps) {
  return (
    <header class="profile">
      <Monogram person={person} large />
      <div>
        <h1>{person.displayName}</h1>
        <p class="muted">
          @{person.handle}
          {person.isPrivate && ` · ${words.profile.private}`}
          <FollowsMe person={person} />
        </p>
        {person.bio && <p class="bio">{person.bio}</p>}
        <p class="profile-counts">
          <span>{words.counts.posts(person.postCount - (isMine ? leavingPosts.value.size : 0))}</span>
          <a href={paths.followers(person.handle)}>{words.counts.followers(person.followerCount)}</a>
          <a href={paths.following(person.handle)}>{words.counts.following(person.followingCount)}</a>
        </p>
      </div>
      <div class="profile-actions">
        <FollowButton person={person} prominent />
        {isMine ? (
          <a class="button quiet" href={paths.settings}>
            {words.profile.edit}
          </a>
        ) : (
          <PersonMenu person={person} onChange={onChange} />
        )}
      </div>
    </header>
  )
}
