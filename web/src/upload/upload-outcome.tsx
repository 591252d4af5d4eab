import type { Photo as PhotoState, Picture } from '../api/types'
import { Photo } from '../photo/photo'
import { paths } from '../router'
import { LocalPreview } from './local-preview'
import type { UploadStage } from './upload-photo'

const TALLEST_VH = 60

interface UploadOutcomeProps {
  file: File
  stage: UploadStage
  onAnother: () => void
  onRetry: () => void
}

/** The photo on its way: bytes leaving, processing, and what became of it. */
export function UploadOutcome({ file, stage, onAnother, onRetry }: UploadOutcomeProps) {
  const photo = stage.stage === 'done' ? stage.photo : null
  const picture = photo && pictureOf(photo)
  const { title, detail } = describeStage(stage)
  return (
    <section class="outcome">
      <div
        class={photo ? 'outcome-photo' : 'outcome-photo pending'}
        style={picture ? { width: widthOf(picture) } : undefined}
      >
        {picture ? (
          <Photo picture={picture} alt="Your photo" edges={[640, 1080]} narrow="100vw" wide="560px" eager />
        ) : (
          <LocalPreview file={file} />
        )}
      </div>
      <div role="status" aria-live="polite">
        <h1>{title}</h1>
        {detail && <p class="muted">{detail}</p>}
      </div>
      {!photo && (
        <progress
          aria-label="Upload"
          max={1}
          value={stage.stage === 'sending' ? stage.fraction : undefined}
        />
      )}
      {photo && (
        <div class="form-actions">
          <button type="button" class="quiet" onClick={onAnother}>
            Another photo
          </button>
          {photo.status === 'ready' && (
            <a class="button primary" href={paths.post(photo.ownerId, photo.id)}>
              See the post
            </a>
          )}
          {photo.status === 'failed' && (
            <button type="button" class="primary" onClick={onRetry}>
              Try again
            </button>
          )}
        </div>
      )}
    </section>
  )
}

function describeStage(stage: UploadStage): { title: string; detail?: string } {
  if (stage.stage === 'sending')
    return { title: 'Uploading', detail: `${Math.round(stage.fraction * 100)} %` }
  if (stage.stage === 'processing')
    return { title: 'Processing', detail: 'Making its sizes and its placeholder.' }
  const { status, failure } = stage.photo
  switch (status) {
    case 'ready':
      return { title: 'It is in the feed', detail: 'Your followers can see it now.' }
    case 'review':
      return {
        title: 'Held for a look',
        detail: failure?.reason ?? 'A person will look at it before it is shown.',
      }
    case 'rejected':
      return { title: 'This photo cannot be shown', detail: failure?.reason ?? 'It was declined.' }
    default:
      return { title: 'That did not work', detail: failure?.reason ?? 'The photo could not be processed.' }
  }
}

/** As wide as the column, but never so tall that what comes below leaves the screen. */
function widthOf({ width, height }: Picture): string {
  return `min(100%, ${(TALLEST_VH * width) / height}vh)`
}

function pictureOf({ width, height, ...photo }: PhotoState): Picture | null {
  if (width === null || height === null || Object.keys(photo.images).length === 0) return null
  return { ...photo, width, height }
}
