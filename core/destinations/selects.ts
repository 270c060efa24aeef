import type { MessageContext } from '../syslog/message-fields.ts'
import type { SharedRecord } from './shared-records.ts'

/**
 * Which messages a destination takes: a compiled rule, filter or selector. The answer depends on the message and its batch alone, never on time or on
 * other messages: after a crash the same messages have to be chosen again.
 */
export interface Selects {
  /** Hot: called for each message of the spool. The bytes and the context hold for the call alone. */
  selects(bytes: Uint8Array, start: number, end: number, context: MessageContext): boolean
  /** The same of a whole record at once, where that is less work: indexes of its messages, rising; undefined where each has to be asked for. */
  chosen?(record: SharedRecord): readonly number[] | undefined
}

/** Several rules that lead to one destination: a message comes once, however many of them choose it. */
export function anyOfSelects(all: readonly Selects[]): Selects {
  if (all.length === 1) return all[0]!
  return {
    selects: (bytes, start, end, context) => {
      for (let index = 0; index < all.length; index++) if (all[index]!.selects(bytes, start, end, context)) return true
      return false
    },
  }
}
