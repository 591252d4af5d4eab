import type { Schemas } from 'photofeed-client'
import { api } from '../session'

export type Health = Schemas['AdminHealth']
export type Model = Schemas['AdminModel']
export type Letters = Schemas['DeadLetterList']

export const readHealth = (signal: AbortSignal) => api.get<Health>('/admin/health', { signal })
export const readModel = (signal: AbortSignal) => api.get<Model>('/admin/model', { signal })
export const readLetters = (signal: AbortSignal) => api.get<Letters>('/admin/dead-letters', { signal })

export function rollBack(reason: string): Promise<Schemas['Rollback']> {
  return api.post('/admin/model/rollback', { reason: reason.trim() })
}

export function replay(letterId: string): Promise<void> {
  return api.post(`/admin/dead-letters/${encodeURIComponent(letterId)}/replay`)
}

export interface System {
  name: string
  level: 'ok' | 'warning' | 'wrong'
  findings: Health['systems']
}

const LEVELS = ['ok', 'warning', 'wrong'] as const

/** The findings by system, each with the worst level of its findings; those to act on first. */
export function bySystem(findings: Health['systems']): System[] {
  const systems = new Map<string, System>()
  for (const finding of findings) {
    const name = finding.name.split('.')[0] ?? finding.name
    const system = systems.get(name) ?? { name, level: 'ok', findings: [] }
    if (LEVELS.indexOf(finding.level) > LEVELS.indexOf(system.level)) system.level = finding.level
    system.findings.push(finding)
    systems.set(name, system)
  }
  return [...systems.values()].sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level))
}
