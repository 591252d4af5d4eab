import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { AxeResults } from 'axe-core'
import { type Browser, type BrowserContext, devices, type Locator, type Page } from 'playwright-core'
import type { Person, Role, Size, World } from './world'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PATIENCE_MS = 20_000
export const PROCESSING_MS = 90_000

/** A person's browser, on one size of screen. */
export class Actor {
  private constructor(
    readonly stage: Stage,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  static async enter(stage: Stage, options: { colorScheme?: 'light' | 'dark' } = {}): Promise<Actor> {
    const screen = stage.size === 'phone' ? devices['Pixel 7'] : { viewport: { width: 1280, height: 900 } }
    const context = await stage.browser.newContext({
      ...screen,
      ...options,
      locale: 'en-GB',
      baseURL: stage.world.url,
      acceptDownloads: true,
    })
    context.setDefaultTimeout(PATIENCE_MS)
    const page = await context.newPage()
    page.on('pageerror', (error) => stage.faults.push(`${page.url()}: ${error}`))
    return new Actor(stage, context, page)
  }

  /** Signs in by the cookie that the API gives for a token. */
  async signIn(person: Person): Promise<void> {
    const reply = await this.context.request.post('/v1/session', {
      headers: { authorization: `Bearer ${person.token}` },
    })
    assert.equal(reply.status(), 201, await reply.text())
  }

  async open(path: string): Promise<void> {
    await this.page.goto(path)
  }

  button(name: string | RegExp, within: Page | Locator = this.page): Locator {
    return within.getByRole('button', { name })
  }

  /** Opens a menu and chooses an entry. */
  async choose(menu: Locator, entry: string | RegExp): Promise<void> {
    await menu.click()
    await this.page.getByRole('menuitem', { name: entry }).click()
  }

  async sees(text: string | RegExp, timeout = PATIENCE_MS): Promise<void> {
    await this.page.getByText(text).first().waitFor({ timeout })
  }

  /** Reloads the page until it shows something: it is true on the server, and follows within seconds. */
  reloadUntil(found: () => Locator): Promise<void> {
    return this.repeatUntil(found, () => this.page.reload())
  }

  async repeatUntil(found: () => Locator, act: () => Promise<unknown>): Promise<void> {
    for (const until = Date.now() + 2 * PATIENCE_MS; ; ) {
      try {
        await found().first().waitFor({ timeout: 2000 })
        return
      } catch (error) {
        if (Date.now() > until) throw error
        await act()
      }
    }
  }

  /** Waits until the images in view have arrived. */
  async seesImages(): Promise<void> {
    await this.page.waitForFunction(() => {
      const inView = Array.from(document.querySelectorAll<HTMLElement>('main img.image')).filter((image) => {
        const { top, bottom, width } = image.getBoundingClientRect()
        return width > 0 && bottom > 0 && top < innerHeight
      })
      return inView.length > 0 && inView.every(({ dataset }) => dataset.state === 'there')
    })
  }

  /** Keeps a picture of the screen, and looks for faults of accessibility. */
  async picture(name: string): Promise<void> {
    const { stage, page } = this
    // What fades in is not judged half way.
    await page.evaluate(() =>
      Promise.allSettled(
        document
          .getAnimations()
          .filter((one) => Number.isFinite(one.effect?.getComputedTiming().endTime))
          .map(({ finished }) => finished),
      ),
    )
    const number = String(stage.nextPicture()).padStart(2, '0')
    await page.screenshot({ path: join(stage.world.pictures, `${stage.size}-${number}-${name}.png`) })
    const { violations } = await page.evaluate<AxeResults>(`${AXE}; axe.run()`)
    for (const { id, nodes, help } of violations)
      stage.violations.push(
        `${name}: ${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
      )
  }
}

/** What the flows of one size of screen share. */
export class Stage {
  /** Uncaught errors of pages. */
  readonly faults: string[] = []
  readonly violations: string[] = []
  readonly figures = { firstViewKb: 0, cls: 0, lcpMs: 0 }
  private readonly actors: Actor[] = []
  private pictures = 0

  constructor(
    readonly world: World,
    readonly browser: Browser,
    readonly size: Size,
  ) {}

  person(role: Role): Person {
    return this.world.people[this.size][role]
  }

  nextPicture(): number {
    this.pictures += 1
    return this.pictures
  }

  /** Somebody without a session. */
  async visitor(options: { colorScheme?: 'light' | 'dark' } = {}): Promise<Actor> {
    const actor = await Actor.enter(this, options)
    this.actors.push(actor)
    return actor
  }

  /** Somebody who is signed in, on a page. */
  async as(role: Role, path: string, options: { colorScheme?: 'light' | 'dark' } = {}): Promise<Actor> {
    const actor = await this.visitor(options)
    await actor.signIn(this.person(role))
    await actor.open(path)
    return actor
  }

  /** Closes the browsers of a flow. */
  async clear(): Promise<void> {
    await Promise.all(this.actors.splice(0).map(({ context }) => context.close()))
  }

  /** The page of a flow that failed, to look at. */
  async pictureOfFailure(name: string): Promise<void> {
    for (const [at, { page }] of this.actors.entries())
      await page.screenshot({ path: join(this.world.pictures, `failed-${this.size}-${name}-${at}.png`) })
  }
}

export interface Flow {
  name: string
  run: (stage: Stage) => Promise<void>
}
