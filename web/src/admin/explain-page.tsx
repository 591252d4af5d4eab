import { isAbort } from 'photofeed-client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { paths } from '../router'
import { TimeAgo } from '../shell/relative-time'
import { showError } from '../shell/toasts'
import { useTitle } from '../title'
import { words } from '../words'
import { AdminTabs } from './admin-tabs'
import { type Explanation, explain, featureRows, RANKERS, type Ranker, type Ranking } from './explanation'

const DIGITS = 5
const LARGE = 1e6

/** For those who run photofeed: why a person sees a post or does not, by two rankers side by side. */
export function ExplainPage() {
  const [handle, setHandle] = useState('')
  const [post, setPost] = useState('')
  const [rankers, setRankers] = useState<readonly [Ranker, Ranker]>(['champion', 'challenger'])
  const [found, setFound] = useState<Explanation | null>(null)
  const [isBusy, setBusy] = useState(false)
  const request = useRef(new AbortController())
  useEffect(() => () => request.current.abort(), [])
  const text = words.admin.explain
  useTitle(text.title)

  const ask = async (about: string) => {
    request.current.abort()
    request.current = new AbortController()
    setPost(about)
    setBusy(true)
    try {
      setFound(await explain({ handle, post: about, rankers }, request.current.signal))
    } catch (error) {
      if (isAbort(error)) return
      setFound(null)
      showError(error)
    }
    setBusy(false)
  }

  return (
    <main class="column wide admin">
      <h1>{text.title}</h1>
      <AdminTabs />
      <form
        class="admin-form"
        onSubmit={(event) => {
          event.preventDefault()
          void ask(post)
        }}
      >
        <label class="admin-reason">
          {text.handle}
          <input
            required
            autocapitalize="none"
            value={handle}
            onInput={(event) => setHandle(event.currentTarget.value)}
          />
        </label>
        <label class="admin-reason">
          {text.post}
          <input value={post} onInput={(event) => setPost(event.currentTarget.value)} />
        </label>
        {([0, 1] as const).map((at) => (
          <label key={at} class="admin-reason">
            {text.ranker[at]}
            <select
              value={rankers[at]}
              onChange={(event) => {
                const chosen = event.currentTarget.value as Ranker
                setRankers(at === 0 ? [chosen, rankers[1]] : [rankers[0], chosen])
              }}
            >
              {RANKERS.map((one) => (
                <option key={one} value={one}>
                  {text.rankers[one]}
                </option>
              ))}
            </select>
          </label>
        ))}
        <button type="submit" class="primary admin-ask" disabled={isBusy}>
          {text.ask}
        </button>
      </form>
      <div aria-live="polite" aria-busy={isBusy}>
        {found && <Found found={found} onPost={(id) => void ask(id)} />}
      </div>
    </main>
  )
}

function Found({ found, onPost }: { found: Explanation; onPost: (id: string) => void }) {
  const text = words.admin.explain
  const { post, rankings } = found
  const section = useRef<HTMLElement>(null)
  // Each answer is shown from its beginning.
  useEffect(() => section.current?.focus(), [found])
  return (
    <>
      {found.skippedSources.length > 0 && (
        <p class="muted">{text.skipped(found.skippedSources.join(', '))}</p>
      )}
      {post && (
        <section ref={section} tabIndex={-1} class="admin-section" aria-label={words.post.one}>
          <h2>
            <a href={paths.post(post.id)}>{words.post.one}</a>
          </h2>
          <p>
            <a href={paths.profile(post.author)}>@{post.author}</a>{' '}
            <span class="muted">
              <TimeAgo at={post.postedAt} /> · {post.followsAuthor ? text.follows : text.followsNot}
            </span>
          </p>
          <ul class="admin-findings">
            {post.reasons.map((reason) => (
              <li key={reason}>
                <span class="badge" data-level="wrong">
                  {text.reasons[reason]}
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {post && <SideBySide rankings={rankings} />}
      {rankings.map((ranking) => (
        <Candidates key={ranking.ranker} ranking={ranking} onPost={onPost} />
      ))}
    </>
  )
}

function SideBySide({ rankings }: { rankings: readonly Ranking[] }) {
  const text = words.admin.explain
  return (
    <section class="admin-section" aria-label={text.decided}>
      <h2>{text.decided}</h2>
      <div class="admin-table">
        <table>
          <thead>
            <tr>
              <td />
              {rankings.map((ranking) => (
                <th key={ranking.ranker} scope="col">
                  {nameOf(ranking)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <Row name={text.outcome} values={rankings.map(({ outcome }) => outcome)} />
            <Row name={text.source} values={rankings.map(({ post }) => post && (post.pool ?? post.source))} />
            <Row name={text.score} values={rankings.map(({ post }) => shown(post?.score))} />
            <Row name={text.rank} values={rankings.map(({ post }) => ordinal(post?.rank))} />
            <Row name={text.position} values={rankings.map(({ post }) => ordinal(post?.position))} />
            <Row
              name={text.rules}
              values={rankings.map(({ post }) =>
                post?.moves
                  .map((move) => `${move.rule}: ${ordinal(move.from)} → ${ordinal(move.to)}`)
                  .join(', '),
              )}
            />
            {featureRows(rankings).map(({ name, values }) => (
              <Row key={name} name={name} values={values.map(shown)} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function Row({ name, values }: { name: string; values: readonly (string | null | undefined)[] }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      {values.map((value, at) => (
        <td key={at}>{value || '–'}</td>
      ))}
    </tr>
  )
}

function Candidates({ ranking, onPost }: { ranking: Ranking; onPost: (id: string) => void }) {
  const text = words.admin.explain
  const title = text.candidates(nameOf(ranking))
  return (
    <section class="admin-section" aria-label={title}>
      <h2>{title}</h2>
      <div class="admin-table">
        <table>
          <thead>
            <tr>
              <th scope="col">{text.position}</th>
              <th scope="col">{words.post.one}</th>
              <th scope="col">{text.source}</th>
              <th scope="col">{text.score}</th>
              <th scope="col">{text.outcome}</th>
            </tr>
          </thead>
          <tbody>
            {ranking.candidates.map(({ postId, position, source, pool, score, outcome }) => (
              <tr key={postId}>
                <td>{ordinal(position)}</td>
                <td>
                  <button type="button" class="link" onClick={() => onPost(postId)}>
                    {postId}
                  </button>
                </td>
                <td>{pool ?? source}</td>
                <td>{shown(score)}</td>
                <td>{outcome}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

/** The ranker and its version, and what ranked in its place if it could not. */
function nameOf({ ranker, ranking, insteadOf, version }: Ranking): string {
  const text = words.admin.explain
  const name = text.rankers[ranker as Ranker] + (version && !insteadOf ? ` ${version}` : '')
  return insteadOf ? text.instead(name, version ? `${ranking} ${version}` : ranking) : name
}

function shown(value: number | null | undefined): string {
  if (value == null) return ''
  return Math.abs(value) < LARGE ? `${Number(value.toPrecision(DIGITS))}` : value.toExponential(DIGITS)
}

function ordinal(index: number | null | undefined): string {
  return index == null ? '' : `${index + 1}`
}
