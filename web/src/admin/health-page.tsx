import { useRef, useState } from 'preact/hooks'
import { confirmed } from '../shell/confirm'
import { TimeAgo } from '../shell/relative-time'
import { showError, showToast } from '../shell/toasts'
import { useTitle } from '../title'
import { words } from '../words'
import { AdminTabs } from './admin-tabs'
import { Loaded } from './loaded'
import {
  bySystem,
  type Health,
  type Letters,
  type Model,
  readHealth,
  readLetters,
  readModel,
  replay,
  rollBack,
} from './operations'

/** For those who run photofeed: the model that ranks, systems, workers, and messages that workers gave up. */
export function HealthPage() {
  const text = words.admin.health
  useTitle(text.title)
  return (
    <main class="column wide admin">
      <h1>{text.title}</h1>
      <AdminTabs />
      <Loaded title={text.model} load={readModel}>
        {(model, reload) => <ModelSection model={model} reload={reload} />}
      </Loaded>
      <Loaded title={text.systems} load={readHealth}>
        {(health, reload) => (
          <>
            <Systems health={health} />
            <Workers health={health} />
            <button type="button" class="quiet" onClick={reload}>
              {words.reload}
            </button>
          </>
        )}
      </Loaded>
      <Loaded title={text.letters} load={readLetters}>
        {(letters, reload) => <DeadLetters letters={letters} reload={reload} />}
      </Loaded>
    </main>
  )
}

function ModelSection({ model, reload }: { model: Model; reload: () => void }) {
  const [reason, setReason] = useState('')
  const isBusy = useRef(false)
  const text = words.admin.health
  const { gates, links } = model

  const goBack = async () => {
    const isSure = await confirmed({
      title: text.rollbackAsk(model.live ?? ''),
      text: text.rollbackMeans,
      yes: text.rollback,
    })
    if (!isSure || isBusy.current) return
    isBusy.current = true
    try {
      const { version } = await rollBack(reason)
      showToast(text.rolledBack(version))
      setReason('')
      reload()
    } catch (error) {
      showError(error)
    } finally {
      isBusy.current = false
    }
  }

  return (
    <>
      <p>
        <span class="badge" data-level={model.ranking === 'model' ? 'ok' : 'warning'}>
          {text.steps[model.ranking]}
        </span>{' '}
        {model.live === null ? text.noModel : text.version(model.name, model.live)}
      </p>
      {model.reason && <p class="muted">{model.reason}</p>}
      <dl class="admin-facts">
        <dt>{text.previous}</dt>
        <dd>{model.previous ?? text.none}</dd>
        <dt>{text.challenger}</dt>
        <dd>{model.challenger ?? text.none}</dd>
        <dt>{text.gates}</dt>
        <dd>
          {gates?.verdict ?? text.neverChecked} {gates?.at && <TimeAgo at={gates.at} />}
        </dd>
        {gates?.forced && (
          <>
            <dt>{text.forced}</dt>
            <dd>{gates.forced}</dd>
          </>
        )}
      </dl>
      {gates && gates.findings.length > 0 && (
        <ul class="admin-findings">
          {gates.findings.map(({ gate, passed, detail }) => (
            <li key={gate}>
              <span class="badge" data-level={passed ? 'ok' : 'wrong'}>
                {passed ? text.passed : text.failed}
              </span>{' '}
              <span class="name">{gate}</span> <span class="muted">{detail}</span>
            </li>
          ))}
        </ul>
      )}
      {links && (
        <p class="admin-links">
          {links.run && (
            <a class="admin-link" href={links.run} target="_blank" rel="noreferrer">
              {text.run}
            </a>
          )}
          <a class="admin-link" href={links.version ?? links.model} target="_blank" rel="noreferrer">
            {text.registered}
          </a>
        </p>
      )}
      <h3>{text.moves}</h3>
      {model.moves.length === 0 && <p class="muted">{text.noMoves}</p>}
      <ul class="admin-history">
        {model.moves.map((move) => (
          <li key={`${move.at} ${move.alias}`}>
            <span class="name">{text.moved(move.alias, move.former, move.version)}</span> {move.reason}{' '}
            <span class="muted">
              {move.actor} · <TimeAgo at={move.at} />
            </span>
          </li>
        ))}
      </ul>
      {model.live !== null && (
        <>
          <label class="admin-reason">
            {words.admin.reason}
            <input maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          </label>
          <button type="button" class="quiet" onClick={() => void goBack()}>
            {text.rollback}
          </button>
        </>
      )}
    </>
  )
}

function Systems({ health }: { health: Health }) {
  const text = words.admin.health
  return (
    <ul class="admin-findings">
      {bySystem(health.systems).map(({ name, level, findings }) => (
        <li key={name}>
          <span class="badge" data-level={level}>
            {text.levels[level]}
          </span>{' '}
          <span class="name">{name}</span>
          <p class="muted">
            {findings.map(({ text: found, mend }) => (mend ? `${found}: ${mend}` : found)).join(' · ')}
          </p>
        </li>
      ))}
    </ul>
  )
}

function Workers({ health: { workers, outbox } }: { health: Health }) {
  const text = words.admin.health
  return (
    <>
      <h3>{text.workers}</h3>
      {workers === null ? (
        <p class="muted">{text.noKafka}</p>
      ) : (
        <div class="admin-table">
          <table>
            <thead>
              <tr>
                <th scope="col">{text.group}</th>
                <th scope="col">{text.members}</th>
                <th scope="col">{text.lag}</th>
              </tr>
            </thead>
            <tbody>
              {workers.map(({ group, members, topics }) => (
                <tr key={group}>
                  <th scope="row">{group}</th>
                  <td>
                    {members}{' '}
                    {members === 0 && (
                      <span class="badge" data-level="wrong">
                        {text.away}
                      </span>
                    )}
                  </td>
                  <td>{topics.map(({ topic, lag }) => `${topic} ${lag}`).join(', ')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {outbox && <p class="muted">{text.outbox(outbox.waiting, outbox.hasRelay)}</p>}
    </>
  )
}

function DeadLetters({ letters, reload }: { letters: Letters; reload: () => void }) {
  const [busy, setBusy] = useState<string | null>(null)
  const text = words.admin.health

  const replayOne = async (id: string) => {
    setBusy(id)
    try {
      await replay(id)
      showToast(text.replayed)
    } catch (error) {
      showError(error)
    } finally {
      setBusy(null)
      reload()
    }
  }

  if (letters.total === 0) return <p class="muted">{text.noLetters}</p>
  return (
    <>
      {letters.total > letters.items.length && (
        <p class="muted">{text.oldest(letters.items.length, letters.total)}</p>
      )}
      <ul class="admin-history">
        {letters.items.map(({ id, at, group, topic, key, code, reason }) => (
          <li key={id}>
            <span class="name">{group}</span> {topic} {key}{' '}
            <span class="muted">
              {code}: {reason} · <TimeAgo at={at} />
            </span>{' '}
            <button
              type="button"
              class="quiet"
              disabled={busy !== null}
              aria-label={text.replayOf(key)}
              onClick={() => void replayOne(id)}
            >
              {text.replay}
            </button>
          </li>
        ))}
      </ul>
    </>
  )
}
