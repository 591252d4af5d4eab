import { words } from '../words'
import { isDragging } from './take-files'

/** Says that photos may be dropped anywhere, while they are dragged. */
export function DropOverlay() {
  return isDragging.value ? <div class="drop-overlay">{words.upload.dropHere}</div> : null
}
