// The rows of docs/coming-from-syslog-ng.md put together to whole configurations, and moved to a place where a test can run them.

import * as path from 'node:path'
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
  /** By address as it is written. */
  readonly ports: Readonly<Record<string, number>>
}

/** Every path below the root, every listener on a free loopback port, and every receiver where it really is. */
export function moved(yaml: string, { root, console, ports }: Moves): string {
  const isRoot = process.getuid?.() === 0
  return (isRoot ? yaml : yaml.replaceAll(' group: adm,', ''))
    .replace(/\/(?:var|run|dev)\/[\w./-]+/g, (file) => (file === '/dev/console' ? console : path.join(root, file)))
    .replace(/(?:0\.0\.0\.0|127\.0\.0\.1):\d+/g, '127.0.0.1:0')
    .replace(/[\w.]+:\d{3,4}\b(?=[" \],])/g, (address) =>
      Object.hasOwn(ports, address) ? `127.0.0.1:${ports[address]}` : address === '127.0.0.1:0' ? address : `127.0.0.1:1`,
    )
}
