import type { TargetedPointerEvent } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { showToast } from '../shell/toasts'
import { words } from '../words'
import { ALL, CORNERS, type Crop, moveCorner, moveWhole, stepOf, turned } from './crop'
import { decode, draw, editedFile, sizeAfter } from './edited-file'
import { refusalOf } from './photo-file'

const PREVIEW_PIXELS = 1200
const TURNS = 4

type Move = (crop: Crop, x: number, y: number) => Crop

interface EditDialogProps {
  file: File
  onEdited: (file: File) => void
  onClose: () => void
}

/** Turns and crops a photo before it is uploaded, with the pointer or with keys. */
export function EditDialog({ file, onEdited, onClose }: EditDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const [picture, setPicture] = useState<ImageBitmap | null>(null)
  const [turns, setTurns] = useState(0)
  const [crop, setCrop] = useState(ALL)
  const [isBusy, setBusy] = useState(false)
  const text = words.upload

  useEffect(() => dialog.current?.showModal(), [])
  useEffect(() => {
    let isOver = false
    let decoded: ImageBitmap | null = null
    decode(file).then(
      (found) => {
        decoded = found
        if (isOver) found.close()
        else setPicture(found)
      },
      () => {
        showToast(text.cannotEdit)
        dialog.current?.close()
      },
    )
    return () => {
      isOver = true
      decoded?.close()
    }
  }, [file, text])
  useEffect(() => {
    if (!canvas.current || !picture) return
    const { width, height } = sizeAfter(picture, turns)
    const scale = Math.min(1, PREVIEW_PIXELS / Math.max(width, height))
    canvas.current.width = Math.max(1, Math.round(width * scale))
    canvas.current.height = Math.max(1, Math.round(height * scale))
    draw(canvas.current, picture, turns, ALL)
  }, [picture, turns])

  const turn = (quarters: number) => {
    setTurns((turns + quarters) % TURNS)
    let next = crop
    for (let done = 0; done < quarters; done += 1) next = turned(next)
    setCrop(next)
  }
  const apply = async () => {
    if (!picture) return
    setBusy(true)
    const edited = await editedFile(file, picture, turns, crop)
    const refusal = edited ? refusalOf(edited) : text.cannotEdit
    setBusy(false)
    if (refusal !== null) showToast(refusal)
    else if (edited) {
      onEdited(edited)
      dialog.current?.close()
    }
  }

  return (
    <dialog ref={dialog} class="confirm edit-photo" aria-labelledby="edit-photo-title" onClose={onClose}>
      <h2 id="edit-photo-title">{text.edit}</h2>
      <p class="muted">{text.editHint}</p>
      <div class="crop" aria-busy={picture === null}>
        <canvas ref={canvas} role="img" aria-label={text.preview(file.name)} />
        {picture && <CropFrame crop={crop} onMove={(move, x, y) => setCrop(move(crop, x, y))} />}
      </div>
      <div class="form-actions">
        <button type="button" class="quiet" disabled={!picture} onClick={() => turn(TURNS - 1)}>
          {text.turnLeft}
        </button>
        <button type="button" class="quiet" disabled={!picture} onClick={() => turn(1)}>
          {text.turnRight}
        </button>
      </div>
      <div class="form-actions edit-end">
        <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
          {words.cancel}
        </button>
        <button type="button" class="primary" disabled={!picture || isBusy} onClick={() => void apply()}>
          {text.apply}
        </button>
      </div>
    </dialog>
  )
}

interface CropFrameProps {
  crop: Crop
  onMove: (move: Move, x: number, y: number) => void
}

function CropFrame({ crop, onMove }: CropFrameProps) {
  const percent = (fraction: number) => `${fraction * 100}%`
  const text = words.upload
  const { left, top, right, bottom } = crop
  const size = text.cropSize(Math.round((right - left) * 100), Math.round((bottom - top) * 100))
  return (
    <div
      class="crop-frame"
      style={{
        left: percent(left),
        top: percent(top),
        width: percent(right - left),
        height: percent(bottom - top),
      }}
    >
      <Handle name={`${text.cropArea}, ${size}`} kind="area" move={moveWhole} onMove={onMove} />
      {CORNERS.map((corner) => (
        <Handle
          key={corner}
          name={text.corners[corner]}
          kind={corner}
          move={(from, x, y) => moveCorner(from, corner, x, y)}
          onMove={onMove}
        />
      ))}
    </div>
  )
}

interface HandleProps {
  name: string
  kind: string
  move: Move
  onMove: CropFrameProps['onMove']
}

/** Moved by dragging, or by the arrow keys while it has the focus. */
function Handle({ name, kind, move, onMove }: HandleProps) {
  const last = useRef<{ x: number; y: number } | null>(null)
  const drag = (event: TargetedPointerEvent<HTMLButtonElement>) => {
    const box = event.currentTarget.closest('.crop')?.getBoundingClientRect()
    if (!last.current || !box) return
    const { clientX, clientY } = event
    onMove(move, (clientX - last.current.x) / box.width, (clientY - last.current.y) / box.height)
    last.current = { x: clientX, y: clientY }
  }
  return (
    <button
      type="button"
      class={`crop-handle ${kind}`}
      aria-label={name}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        last.current = { x: event.clientX, y: event.clientY }
      }}
      onPointerMove={drag}
      onPointerUp={() => {
        last.current = null
      }}
      onPointerCancel={() => {
        last.current = null
      }}
      onKeyDown={(event) => {
        const step = stepOf(event)
        if (step === null) return
        event.preventDefault()
        onMove(move, ...step)
      }}
    />
  )
}
