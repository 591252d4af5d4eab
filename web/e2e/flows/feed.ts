import assert from 'node:assert/strict'
import type { Actor, Flow } from '../stage'

const MAX_FIRST_VIEW_KB = 80
const MAX_CLS = 0.01
const COMMENT = 'Where is this?'
const REPLY = 'At the lake, an hour from here.'
/** Photos of the shared authors: what happens to those of another size's people, its flows would see. */
const BY_SHARED_AUTHORS = /^Photo by (?!.* (phone|desktop)$)/

/** Measures what the first view of the feed costs. */
async function measure(reader: Actor) {
  const session = await reader.context.newCDPSession(reader.page)
  const kinds = new Map<string, string>()
  let bytes = 0
  session.on('Network.responseReceived', ({ requestId, type }) => kinds.set(requestId, type))
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (kinds.get(requestId) !== 'Image') bytes += encodedDataLength
  })
  await session.send('Network.enable')
  await reader.page.addInitScript(() => {
    const figures = { cls: 0, lcp: 0 }
    Object.assign(window, { figures })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & {
        value: number
        hadRecentInput: boolean
      })[])
        if (!entry.hadRecentInput) figures.cls += entry.value
    }).observe({ type: 'layout-shift', buffered: true })
    new PerformanceObserver((list) => {
      for (const { startTime } of list.getEntries()) figures.lcp = startTime
    }).observe({ type: 'largest-contentful-paint', buffered: true })
  })
  return () => bytes / 1000
}

export const feed: readonly Flow[] = [
  {
    name: 'the first view is light, does not move, and shows its photos',
    run: async (stage) => {
      const reader = await stage.visitor()
      await reader.signIn(stage.person('reader'))
      const kilobytes = await measure(reader)
      await reader.open('/')
      await reader.seesImages()
      const { cls, lcp } = await reader.page.evaluate(
        () => (window as unknown as { figures: { cls: number; lcp: number } }).figures,
      )
      Object.assign(stage.figures, { firstViewKb: kilobytes(), cls, lcpMs: lcp })
      await reader.picture('feed')
      assert.ok(kilobytes() <= MAX_FIRST_VIEW_KB, `${kilobytes()} KB without images`)
      assert.ok(cls <= MAX_CLS, `layout shift ${cls}`)
    },
  },
  {
    name: 'a like is shown at once and is there after a reload',
    run: async (stage) => {
      const reader = await stage.as('reader', '/')
      const card = reader.page.getByRole('article', { name: BY_SHARED_AUTHORS }).first()
      await reader.button(/^Like/, card).click()
      await card.getByRole('button', { name: /^Like\s*\d/, pressed: true }).waitFor()
      await reader.open('/liked')
      await reader.reloadUntil(() => reader.page.locator('.grid li'))
      await reader.picture('liked')
    },
  },
  {
    name: 'a comment is added',
    run: async (stage) => {
      const friend = await stage.as('friend', '/liked')
      await friend.page.locator('.grid a').first().click()
      await friend.page.getByLabel('Add a comment').fill(COMMENT)
      await friend.button('Post').click()
      await friend.page.getByRole('listitem').filter({ hasText: COMMENT }).waitFor()
      await friend.picture('comment')
    },
  },
  {
    name: 'the author is notified of the like and of the comment',
    run: async (stage) => {
      const uploader = await stage.as('uploader', '/')
      const { displayName } = stage.person('friend')
      await uploader.page.getByRole('link', { name: /unread notification/ }).click()
      await uploader.sees(`${displayName} likes your photo.`)
      await uploader.sees(`${displayName} commented on your photo.`)
      await uploader.picture('activity')
      await uploader.page.getByText(`${displayName} commented on your photo.`).click()
      await uploader.page.getByRole('dialog').getByText(COMMENT).waitFor()
    },
  },
  {
    name: 'the author replies, and the reply is notified',
    run: async (stage) => {
      const friend = await stage.as('friend', '/activity')
      await friend.page.getByRole('heading', { name: 'Activity' }).waitFor()
      const uploader = await stage.as('uploader', '/activity')
      await uploader.page.getByText('commented on your photo.').first().click()
      const comment = uploader.page.getByRole('listitem').filter({ hasText: COMMENT })
      await uploader.button(/^Reply/, comment).click()
      await uploader.page.getByLabel('Add a comment').fill(REPLY)
      await uploader.button('Post').click()
      await uploader.page.getByRole('listitem').filter({ hasText: REPLY }).waitFor()
      await uploader.picture('reply')
      // It arrives on the open page of the other person.
      await friend.sees(`${stage.person('uploader').displayName} answered your comment.`)
      await friend.picture('notified-of-reply')
    },
  },
  {
    name: 'a hidden photo makes room for others, and the next feed shows less of its author',
    run: async (stage) => {
      const hider = await stage.as('hider', '/')
      const { page } = hider
      const first = page.getByRole('article').first()
      const author = ((await first.getAttribute('aria-label')) ?? '').replace('Photo by ', '')
      await hider.choose(hider.button('More actions', first).first(), 'Hide this photo')
      await hider.sees(`Hidden. You will see less of ${author}`)
      await hider.picture('hidden')
      await page.evaluate(() => sessionStorage.clear())
      await hider.context.newPage().then(async (next) => {
        await next.goto('/')
        const label = await next.getByRole('article').first().getAttribute('aria-label')
        assert.notEqual(label, `Photo by ${author}`)
      })
    },
  },
  {
    name: 'a hide can be taken back',
    run: async (stage) => {
      const hider = await stage.as('hider', '/')
      const first = hider.page.getByRole('article').first()
      const label = (await first.getAttribute('aria-label')) ?? ''
      await hider.choose(hider.button('More actions', first).first(), 'Hide this photo')
      await hider.button('Undo').first().click()
      assert.equal(await hider.page.getByRole('article').first().getAttribute('aria-label'), label)
    },
  },
  {
    name: 'a saved photo is found again',
    run: async (stage) => {
      const reader = await stage.as('reader', '/')
      const card = reader.page.getByRole('article').first()
      await reader.button('Save', card).click()
      await card.getByRole('button', { name: 'Save', pressed: true }).waitFor()
      await reader.open('/saved')
      await reader.reloadUntil(() => reader.page.locator('.grid li'))
      await reader.picture('saved')
    },
  },
  {
    name: 'without a network nothing is lost: changes wait, and images come back',
    run: async (stage) => {
      const reader = await stage.as('reader', '/')
      const { page, context } = reader
      await reader.seesImages()
      await context.setOffline(true)
      const card = page.getByRole('article').first()
      await reader.button('Save', card).click()
      await reader.sees('You are offline. This will be sent when the network is back.')
      await page.getByRole('article').nth(6).scrollIntoViewIfNeeded()
      await reader.sees('This photo could not be loaded.')
      await reader.picture('offline')
      const sent = page.waitForResponse((reply) => reply.url().endsWith('/save') && reply.ok())
      await context.setOffline(false)
      await sent
      await reader.seesImages()
    },
  },
]
