import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import './browser-globals'
import { toasts } from '../src/shell/toasts'
import { refusalOf } from '../src/upload/photo-file'
import {
  addFiles,
  cancel,
  drafts,
  edit,
  forgetDrafts,
  hasUnsaved,
  outcomeOf,
  remove,
  replaceFile,
  retry,
  shareAll,
} from '../src/upload/queue'

const photo = (name: string) => new File(['x'], name, { type: 'image/jpeg' })
const settled = () => new Promise((resolve) => setImmediate(resolve))
const stages = () => drafts.value.map(({ state }) => state.stage)

/** The uploads that have reached the store; each waits for `finish`, as a slow network would. */
let puts: { finish: () => void; aborted: boolean }[]
let completed: string[]
let initiateStatus: number

class FakeRequest {
  upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {}
  status = 200
  onload = () => {}
  onabort = () => {}
  private readonly put = { finish: () => this.onload(), aborted: false }
  open() {}
  setRequestHeader() {}
  send() {
    puts.push(this.put)
    this.upload.onprogress?.({ loaded: 1, total: 2 })
  }
  abort() {
    this.put.aborted = true
    this.onabort()
  }
}

beforeEach(() => {
  forgetDrafts()
  puts = []
  completed = []
  initiateStatus = 201
  toasts.value = []
  Object.assign(globalThis, { XMLHttpRequest: FakeRequest })
  globalThis.fetch = async (path, options) => {
    const call = String(path)
    if (call.endsWith('/initiate')) {
      const ticket = { photoId: `${puts.length}`, uploadUrl: '/up', headers: {} }
      return Response.json(initiateStatus === 201 ? ticket : { detail: 'Later.' }, { status: initiateStatus })
    }
    if (call.endsWith('/complete')) {
      completed.push(JSON.parse(String(options?.body)).caption)
      return Response.json({})
    }
    return new Response(`event: status\ndata: {"status":"ready"}\n\n`)
  }
})

test('what the API would refuse is refused at once', () => {
  assert.equal(refusalOf({ name: 'a.jpg', type: 'image/jpeg', size: 1 }), null)
  assert.equal(refusalOf({ name: 'a.HEIC', type: '', size: 50 * 2 ** 20 }), null)
  assert.match(
    refusalOf({ name: 'a.jpg', type: 'image/jpeg', size: 50 * 2 ** 20 + 1 }) ?? '',
    /larger than 50 MB/,
  )
  assert.match(refusalOf({ name: 'a.txt', type: 'text/plain', size: 1 }) ?? '', /“a.txt” is not a photo/)
  assert.match(refusalOf({ name: 'a.jpg', type: 'image/jpeg', size: 0 }) ?? '', /empty/)
})

test('every photo of several becomes a post, two at a time, and the others are named', async () => {
  addFiles([photo('1.jpg'), new File(['x'], 'notes.txt'), photo('2.jpg'), photo('3.jpg')])
  assert.equal(toasts.value.length, 1)
  drafts.value.forEach(({ id, file }) => {
    edit(id, { caption: file.name })
  })
  shareAll()
  await settled()
  assert.deepEqual(stages(), ['sending', 'sending', 'waiting'])
  while (completed.length < 3) {
    for (const put of puts.splice(0)) put.finish()
    await settled()
  }
  await settled()
  assert.deepEqual(stages(), ['done', 'done', 'done'])
  assert.deepEqual(completed.sort(), ['1.jpg', '2.jpg', '3.jpg'])
  assert.equal(hasUnsaved(), false)
})

test('a cancelled upload stops, and is a draft again with its caption', async () => {
  addFiles([photo('1.jpg')])
  const id = drafts.value[0]?.id ?? 0
  edit(id, { caption: 'kept' })
  shareAll()
  await settled()
  cancel(id)
  await settled()
  assert.equal(puts[0]?.aborted, true)
  assert.deepEqual([stages(), drafts.value[0]?.caption, hasUnsaved()], [['draft'], 'kept', true])
  remove(id)
  assert.equal(hasUnsaved(), false)
})

test('an upload that failed says why, and can be retried', async () => {
  initiateStatus = 500
  addFiles([photo('1.jpg')])
  shareAll()
  await settled()
  const [draft] = drafts.value
  assert.deepEqual(draft?.state, { stage: 'failed', reason: 'Later.', canRetry: true })
  initiateStatus = 201
  retry(draft?.id ?? 0)
  await settled()
  assert.deepEqual(stages(), ['sending'])
})

test('an edited file is uploaded in place of the chosen one, with the same words', async () => {
  addFiles([photo('1.jpg')])
  const id = drafts.value[0]?.id ?? 0
  edit(id, { caption: 'kept' })
  replaceFile(id, new File(['smaller'], '1-edited.jpg', { type: 'image/jpeg' }))
  assert.deepEqual(
    drafts.value.map(({ file, caption }) => [file.name, caption]),
    [['1-edited.jpg', 'kept']],
  )
})

test('a broken file is not offered again', () => {
  const failed = (code: string) => outcomeOf({ status: 'failed', failure: { code, reason: 'r' } } as never)
  assert.equal(failed('truncated').canRetry, false)
  assert.equal(failed('internal').canRetry, true)
})
