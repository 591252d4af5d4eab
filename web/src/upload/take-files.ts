import { signal } from '@preact/signals'
import { navigate, openPost, paths } from '../router'
import { session } from '../session'
import { addFiles } from './queue'

/** Whether files are being dragged over the window. */
export const isDragging = signal(false)

/** Takes photos that are dropped or pasted anywhere in the window. */
export function takeFilesAnywhere(): void {
  // Browsers send dragleave for every element; a drag that has really left sends no dragover for a while.
  let stillness: ReturnType<typeof setTimeout> | undefined
  addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    isDragging.value = true
    clearTimeout(stillness)
    stillness = setTimeout(() => {
      isDragging.value = false
    }, 200)
  })
  addEventListener('drop', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return
    // Otherwise the browser would open the file and leave the app.
    event.preventDefault()
    isDragging.value = false
    take(event.dataTransfer.files)
  })
  addEventListener('paste', (event) => {
    const files = event.clipboardData?.files
    if (!files?.length) return
    event.preventDefault()
    take(files)
  })
}

function take(files: FileList): void {
  if (!session.value) return
  if (openPost.value !== null || location.pathname !== paths.upload) navigate(paths.upload)
  addFiles(files)
}
