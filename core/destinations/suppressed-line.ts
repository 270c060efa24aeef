import type { Bucket } from './bucket-table.ts'
import { OTHERS } from './bucket-table.ts'
import type { LimitPer } from './limit-options.ts'
import type { Planned } from './shaper.ts'
import type { RecordContext } from './shared-records.ts'

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
  const header = `<${told.facility * 8 + NOTICE}>1 ${now} ${field(host)} ${field(program)} - suppressed -`
  const bytes = Buffer.from(`${header} ${text}`)
  return {
    record: {
      bytes,
      places: Uint32Array.of(0, bytes.length),
      // No message of a stream has the number 0.
      context: { ...context, host, peer: host, via: '', sequence: 0, firstSequence: 0, count: 1 },
    },
    messages: [0],
  }
}

/** A field of the header: printable, without a space, and there. */
function field(text: string): string {
  return text.replace(/[^!-~]/g, '?') || '-'
}
