import type { Bucket } from './bucket-table.ts'
import { OTHERS } from './bucket-table.ts'
import type { LimitPer } from './limit-options.ts'
import type { Planned } from './shaper.ts'
import type { RecordContext } from './shared-records.ts'
import { toldLine } from './told-line.ts'

const NOTICE = 5

export interface Suppression extends Pick<Bucket, 'host' | 'program' | 'suppressed' | 'firstUs' | 'lastUs' | 'facility'> {
  readonly per: LimitPer
  readonly rate: string | undefined
  readonly sample: number | undefined
}

/**
 * What is told of messages that were left out: a message of their program and host, so that it stands where they would.
 * @param context of the record before whose messages it comes
 */
export function suppressedLine(told: Suppression, context: RecordContext): Planned {
  const isShared = told.per === 'rule' || told.host === OTHERS
  const host = isShared ? context.localHost : told.host
  const program = told.program === OTHERS ? '' : told.program
  const whom = [
    program === '' ? (told.program === OTHERS ? ' of other programs' : '') : ` of ${program}`,
    isShared ? '' : ` at ${host}`,
  ].join('')
  const why = told.rate === undefined ? `1 in ${told.sample} passes` : `over ${told.rate}`
  const [first, last, now] = [told.firstUs, told.lastUs, context.receivedUs].map((us) => new Date(us / 1000).toISOString())
  const count = `${told.suppressed} ${told.suppressed === 1 ? 'message' : 'messages'}`
  const text = `${count}${whom} suppressed, ${why}, from ${first} to ${last}`
  return toldLine({ pri: told.facility * 8 + NOTICE, time: now!, host, hostname: host, program, kind: 'suppressed', text }, context)
}
