import assert from 'node:assert/strict'
import { type Flow, PROCESSING_MS } from '../stage'

const CAPTIONS = ['By the lake', 'On the way up', 'The view', 'Evening']

export const photos: readonly Flow[] = [
  {
    name: 'a HEIC and three JPEGs are uploaded at once, each with its words',
    run: async (stage) => {
      const uploader = await stage.as('uploader', '/new')
      const { page } = uploader
      const { heic, jpegs } = stage.world.files[stage.size]
      await page.locator('input[type=file][multiple]').setInputFiles([...heic, ...jpegs])
      const drafts = page.locator('article.draft')
      await drafts.nth(CAPTIONS.length - 1).waitFor()
      for (const [at, caption] of CAPTIONS.entries()) {
        await drafts.nth(at).getByLabel('Caption').fill(caption)
        await drafts.nth(at).getByLabel('Tags').fill('holiday, lake')
      }
      // Chromium cannot decode HEIC.
      await uploader
        .button(/^Rotate and crop/, drafts.nth(0))
        .and(page.locator(':disabled'))
        .waitFor()
      await drafts.nth(0).getByText('cannot be rotated or cropped here').waitFor()
      await uploader.picture('drafts')
      await uploader.button('Share 4 photos').click()
      for (const at of CAPTIONS.keys())
        await drafts.nth(at).getByRole('heading', { name: 'Published' }).waitFor({ timeout: PROCESSING_MS })
      await uploader.picture('published')
      await uploader.open(`/@${stage.person('uploader').handle}`)
      await page
        .locator('.grid li')
        .nth(CAPTIONS.length - 1)
        .waitFor()
      await uploader.seesImages()
      await uploader.picture('own-profile')
    },
  },
  {
    name: 'a file that is no photo is refused at once, by name',
    run: async (stage) => {
      const uploader = await stage.as('uploader', '/new')
      await uploader.page
        .locator('input[type=file][multiple]')
        .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('words') })
      await uploader.sees('“notes.txt” is not a photo in a supported format.')
      assert.equal(await uploader.page.locator('article.draft').count(), 0)
    },
  },
  {
    name: 'a draft survives a reload, is published, and its description stands for the photo',
    run: async (stage) => {
      const uploader = await stage.as('uploader', '/new')
      const { page } = uploader
      const [file] = stage.world.files[stage.size].drafts
      await page.locator('input[type=file][multiple]').setInputFiles(file)
      await page.getByLabel('Caption').fill('Kept')
      await page.getByLabel('Description for people').fill('Stripes in two colours')
      page.once('dialog', (dialog) => void dialog.accept()) // leaving asks
      await page.reload()
      const draft = page.locator('article.draft')
      await draft.getByRole('img').waitFor()
      assert.equal(await draft.getByLabel('Caption').inputValue(), 'Kept')
      await uploader.button('Share').click()
      await draft.getByRole('heading', { name: 'Published' }).waitFor({ timeout: PROCESSING_MS })
      await page.getByRole('link', { name: 'See the post' }).click()
      await page
        .getByRole('img', { name: /^Stripes in two colours, photo by/ })
        .first()
        .waitFor()
      await uploader.open('/new')
      await page.getByText('Choose photos').waitFor()
      assert.equal(await draft.count(), 0)
    },
  },
  {
    name: 'a photo is turned and cropped with keys before it is uploaded',
    run: async (stage) => {
      const uploader = await stage.as('uploader', '/new')
      const { page } = uploader
      const [file] = stage.world.files[stage.size].sideways
      await page.locator('input[type=file][multiple]').setInputFiles(file)
      const draft = page.locator('article.draft')
      const size = () =>
        draft
          .getByRole('img')
          .evaluate(({ naturalWidth, naturalHeight }: HTMLImageElement) => [naturalWidth, naturalHeight])
      await draft.getByRole('img').waitFor()
      await page.waitForFunction(() => document.querySelector<HTMLImageElement>('.preview')?.naturalWidth)
      const [width = 0, height = 0] = await size()
      assert.ok(height > width, 'upright, as its EXIF data says')
      await uploader.button('Rotate and crop', draft).click()
      const dialog = page.getByRole('dialog', { name: 'Rotate and crop' })
      await uploader.button('Rotate right', dialog).click()
      await uploader.button('Top left corner', dialog).focus()
      await page.keyboard.press('Shift+ArrowRight')
      await page.keyboard.press('Shift+ArrowDown')
      await page.keyboard.press('Shift+ArrowDown')
      await uploader.button('Crop frame, 90 % by 80 %', dialog).waitFor()
      await uploader.picture('crop')
      await uploader.button('Apply', dialog).click()
      await dialog.waitFor({ state: 'detached' })
      await page.waitForFunction(
        (before) => document.querySelector<HTMLImageElement>('.preview')?.naturalHeight !== before,
        height,
      )
      const near = (found: number | undefined, wanted: number) => Math.abs((found ?? 0) - wanted) <= 1
      const edited = await size()
      assert.ok(near(edited[0], height * 0.9) && near(edited[1], width * 0.8), `${edited}`)
      assert.match((await page.evaluate(() => document.activeElement?.textContent)) ?? '', /Rotate and crop/)
      await page.getByLabel('Caption').fill('Turned')
      await uploader.button('Share').click()
      await draft.getByRole('heading', { name: 'Published' }).waitFor({ timeout: PROCESSING_MS })
      const link = await page.getByRole('link', { name: 'See the post' }).getAttribute('href')
      const reply = await uploader.context.request.get(`/v1/posts/${link?.split('/').pop()}`, {
        headers: { authorization: `Bearer ${stage.person('uploader').token}` },
      })
      const post = await reply.json()
      assert.deepEqual([post.width, post.height], edited)
    },
  },
  {
    name: 'a follower sees a new photo in their feed, and likes it',
    run: async (stage) => {
      const friend = await stage.as('friend', '/')
      const { displayName } = stage.person('uploader')
      const theirs = () => friend.page.getByRole('article', { name: `Photo by ${displayName}` })
      // A reload keeps the feed; the link to the page that is open loads a new one.
      await friend.repeatUntil(
        () => theirs(),
        () => friend.page.getByRole('link', { name: 'Home' }).click(),
      )
      await theirs().first().scrollIntoViewIfNeeded()
      await friend.seesImages()
      await friend.picture('followers-feed')
      await friend.button(/^Like/, theirs().first()).click()
      await friend.open('/liked')
      await friend.reloadUntil(() => friend.page.locator('.grid li'))
    },
  },
]
