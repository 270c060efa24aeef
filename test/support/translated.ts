// The rows of docs/coming-from-syslog-ng.md put together to whole configurations, and moved to a place where a test can run them.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { ExecutionContext } from 'ava'
import { askStatus } from '../../core/daemon/status-socket.ts'
import { AGENT_NAME, type Chain } from './chain.ts'
import { Daemon } from './daemon.ts'
import { codeIn, Manual } from './manual.ts'

export const TRANSLATIONS = new Manual('coming-from-syslog-ng.md')

export const PLACES = ['sources', 'rules', 'agent.yaml', 'listeners', 'destinations'] as const
export type RowPlace = (typeof PLACES)[number]

export interface Row {
  /** What syslog-ng says, without the signs around code. */
  readonly classic: string
  readonly place: RowPlace | 'none'
  /** An item of the list, or for agent.yaml a key with its value; empty where there is none. */
  readonly yaml: string
  /** All of the last cell. */
  readonly text: string
}

/** Every row of the tables that have a place in the middle. */
export function translations(): Row[] {
  return TRANSLATIONS.rows('| syslog-ng | in | Loghop |').map(([classic, place, text]) => ({
    classic: classic!.replaceAll('`', ''),
    place: place as Row['place'],
    yaml: place === 'none' ? '' : codeIn(text!)[0]!,
    text: text!,
  }))
}

/** The list of a configuration, of the rows that belong there. */
export function listed(rows: readonly Row[], place: RowPlace): string {
  const items = rows.filter((row) => row.place === place).map(({ yaml }) => (place === 'agent.yaml' ? yaml : `  - ${yaml}`))
  return `${place === 'agent.yaml' ? '' : `${place}:\n`}${items.join('\n')}\n`
}

export interface Moves {
  /** What the root directory becomes. */
  readonly root: string
  /** What stands for /dev/console. */
  readonly console: string
  /** Of receivers on loopback, by their address as it is written. */
  readonly ports: Readonly<Record<string, number>>
}

/** Every path below the root, every listener on a free loopback port, and every receiver where it really is. */
export function moved(yaml: string, { root, console, ports }: Moves): string {
  const isRoot = process.getuid?.() === 0
  return (
    (isRoot ? yaml : yaml.replaceAll(' group: adm,', ''))
      .replace(/\/(?:var|run|dev)\/[\w./-]+/g, (file) => (file === '/dev/console' ? console : path.join(root, file)))
      .replace(/(?:0\.0\.0\.0|127\.0\.0\.1):\d+/g, '127.0.0.1:0')
      // Where everything comes from.
      .replaceAll('source_address: 10.0.0.0/8', 'source_address: 127.0.0.0/8')
      // As long as a test can wait.
      .replace(/\bmark: 20min\b/g, 'mark: 1s')
      // Port 1 for those that are not there.
      .replace(/[\w.]+:\d{3,4}\b(?=[" \],])/g, (address) => `127.0.0.1:${ports[address] ?? 1}`)
  )
}

/** Whole hosts below one directory, each with a root of its own. */
export class Machines {
  readonly ports: Record<string, number> = {}
  console = ''
  readonly #t: ExecutionContext
  readonly #chain: Chain

  constructor(t: ExecutionContext, chain: Chain) {
    this.#t = t
    this.#chain = chain
  }

  place(machine: string, file: string): string {
    return path.join(this.#chain.directory, machine, file)
  }

  /** Makes the directories that an installed system has and the identity, and runs the configuration, moved there. */
  async start(machine: 'agent' | 'relay' | 'central', yaml: string): Promise<Daemon> {
    for (const directory of ['var/lib/loghop', 'var/log/app', 'var/log/java', 'run/loghop', 'run/other', 'dev'])
      fs.mkdirSync(this.place(machine, directory), { recursive: true })
    const isAgent = machine === 'agent'
    await this.#chain.issue(`${machine}/var/lib/loghop/identity`, {
      name: isAgent ? AGENT_NAME : `${machine}.example.com`,
      role: isAgent ? 'agent' : 'relay',
      san: ['127.0.0.1'],
      speaksFor: isAgent ? [] : ['*.example.com', '*.site1.example.com'],
    })
    const file = this.#chain.place(`${machine}.yaml`)
    fs.writeFileSync(file, moved(yaml, { root: this.place(machine, ''), console: this.console, ports: this.ports }))
    const daemon = Daemon.spawn(this.#t, isAgent ? 'agent' : 'relay', file)
    await daemon.event('started')
    return daemon
  }

  /** Each destination as `kind place: state`. */
  destinations(machine: string): Promise<string[]> {
    return this.#destinations(machine, () => true)
  }

  /** Of these, the ones that are behind. */
  waiting(machine: string): Promise<string[]> {
    return this.#destinations(machine, (one) => one['lag_bytes'] !== 0)
  }

  async #destinations(machine: string, isMeant: (one: Readonly<Record<string, string | number>>) => boolean): Promise<string[]> {
    const status = await askStatus(this.place(machine, 'var/lib/loghop/spool'))
    const destinations = status['destinations'] as ReadonlyArray<Readonly<Record<string, string | number>>>
    return destinations.filter(isMeant).map((one) => `${one['kind']} ${one['path']}: ${one['state']}`)
  }
}
