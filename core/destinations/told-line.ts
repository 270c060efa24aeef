import type { Planned } from './shaper.ts'
import type { RecordContext } from './shared-records.ts'

/** What a destination tells between the messages that it writes. */
export interface Told {
  readonly pri: number
  /** TIMESTAMP of RFC 5424. */
  readonly time: string
  /** Under which name it is filed. */
  readonly host: string
  readonly hostname: string
  /** Empty where it is about no program. */
  readonly program: string
  /** MSGID. */
  readonly kind: string
  readonly text: string
}

/**
 * A message of the program and host that it is about, so that it stands where theirs do.
 * @param context of the record before or between whose messages it comes
 */
export function toldLine({ pri, time, host, hostname, program, kind, text }: Told, context: RecordContext): Planned {
  const bytes = Buffer.from(`<${pri}>1 ${time} ${field(hostname)} ${field(program)} - ${kind} - ${text}`)
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
