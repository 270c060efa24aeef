// The status in one sentence, for `systemctl status`.

import { formatSize } from '../base/quantities.ts'
import type { StatusDocument } from './status-socket.ts'

interface Told {
  readonly sources?: readonly string[]
  readonly listeners?: readonly string[]
  readonly peers?: readonly unknown[]
  readonly paused?: boolean
  readonly problems: readonly string[]
  readonly spool: { readonly used_bytes: number; readonly limit_bytes: number }
  readonly destinations: ReadonlyArray<Readonly<Record<string, unknown>>>
}

/** States of a destination in which nothing is wrong. */
export const GOOD_STATES: readonly unknown[] = ['ready', 'following', 'open']
const MIB = 1 << 20

/** What is taken from where, how full the spool is, and what is wrong. Rounded, so that it changes seldom. */
export function statusSentence(document: StatusDocument, isDiskFull: boolean): string {
  const told = document as unknown as Told
  const { used_bytes: used, limit_bytes: limit } = told.spool
  const places = told.sources ?? told.listeners ?? []
  const parts = [
    `${told.sources === undefined ? 'Listens on' : 'Takes messages from'} ${places.join(', ')}`,
    ...(told.peers === undefined ? [] : [`${told.peers.length} peers`]),
    `spool ${formatSize(Math.ceil(used / MIB) * MIB)} of ${formatSize(limit)}`,
    ...(isDiskFull ? ['THE DISK IS FULL'] : []),
    ...(told.paused === true ? ['PAUSED: the spool is at its limit'] : []),
    ...told.destinations.map((destination) => {
      const { kind, relay, path, state, trouble } = destination
      const why = GOOD_STATES.includes(state) || !trouble ? '' : ` (${String(trouble)})`
      return `${String(kind)} ${String(relay ?? path ?? '')} ${String(state)}${why}`
    }),
    ...told.problems.map((problem) => `PROBLEM: ${problem}`),
  ]
  return parts.join('; ')
}
