// Runs the flows on each size of screen: node --import tsx e2e/main.ts WORLD.json [words of the flows to run]
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { account } from './flows/account'
import { feed } from './flows/feed'
import { moderation } from './flows/moderation'
import { operations } from './flows/operations'
import { people } from './flows/people'
import { photos } from './flows/photos'
import { reading } from './flows/reading'
import { signIn } from './flows/sign-in'
import { type Flow, Stage } from './stage'
import { SIZES, type World } from './world'

const FLOWS: readonly Flow[] = [
  ...signIn,
  ...photos,
  ...feed,
  ...people,
  ...moderation,
  ...operations,
  ...reading,
  ...account,
]

const [file = '', ...wanted] = process.argv.slice(2)
const world = JSON.parse(readFileSync(file, 'utf8')) as World
const flows = FLOWS.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)))

/** The names of the flows that failed on a size of screen. */
async function run(stage: Stage): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of flows) {
    const began = Date.now()
    const faultsBefore = stage.faults.length
    const violationsBefore = stage.violations.length
    const reasons: string[] = []
    try {
      await run(stage)
    } catch (error) {
      reasons.push(String(error))
      await stage.pictureOfFailure(name.replaceAll(/[^a-z]+/g, '-'))
    }
    reasons.push(...stage.faults.slice(faultsBefore))
    await stage.clear()
    const seconds = ((Date.now() - began) / 1000).toFixed(1)
    console.error(
      `${reasons.length === 0 ? 'passed' : 'FAILED'}  ${stage.size.padEnd(8)}${seconds.padStart(5)} s  ${name}`,
    )
    for (const line of [...reasons, ...stage.violations.slice(violationsBefore).map((one) => `axe: ${one}`)])
      console.error(`        ${line.replaceAll('\n', '\n        ')}`)
    if (reasons.length > 0) failed.push(name)
  }
  return failed
}

const browser = await chromium.launch({ executablePath: world.chromium })
const stages = SIZES.map((size) => new Stage(world, browser, size))
const failed = new Set((await Promise.all(stages.map(run))).flat())
await browser.close()

const violations = stages.reduce((sum, stage) => sum + stage.violations.length, 0)
const largest = (of: (stage: Stage) => number) => Math.max(...stages.map(of))
const result = {
  flows: flows.length,
  passed: flows.length - failed.size,
  axeViolations: violations,
  firstViewKb: Math.round(largest(({ figures }) => figures.firstViewKb) * 10) / 10,
  clsMax: Math.round(largest(({ figures }) => figures.cls) * 10_000) / 10_000,
  lcpMs: Math.round(largest(({ figures }) => figures.lcpMs)),
}
console.log(JSON.stringify(result))
process.exitCode = failed.size > 0 || violations > 0 ? 1 : 0
