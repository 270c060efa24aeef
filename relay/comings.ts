import type { Clock } from '../core/base/clock.ts'
import type { Log, LogFields } from '../core/base/log.ts'
import { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { sourceOf } from '../core/transport/address-rules.ts'

/** Names, addresses and causes that are remembered for a minute: as many as connections usually may be. */
const CAUSES_LIMIT = 10_000
const REASON_LIMIT = 200

export interface Coming {
  readonly level: 'debug' | 'info' | 'warn'
  readonly event: 'peer-admitted' | 'peer-gone'
  readonly name: string
  /** `address:port`, brackets around IPv6; or `unix`. */
  readonly peer: string
  readonly text: string
  /** Why it is gone, when that was not in order. */
  readonly reason?: string | undefined
  readonly fields: LogFields
}

/**
 * Who comes and who goes, in the log: a line for each name, address and cause once a minute, with how many were held back since the one before it. A peer
 * that comes again and again would fill the log otherwise.
 */
export class Comings {
  readonly #log: Log
  readonly #guard: RepeatGuard

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#guard = new RepeatGuard(clock, CAUSES_LIMIT)
  }

  tell({ level, event, name, peer, text, reason = '', fields }: Coming): void {
    const address = peer.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
    const repeated = this.#guard.repeated(`${event} ${name} ${sourceOf(address)} ${causeIn(reason)}`)
    if (repeated === undefined) return
    const more = repeated === 0 ? '' : ` (and ${repeated} more times since this was last said)`
    this.#log[level](event, `${text}${more}`, { peer, name, ...fields, repeated: repeated || undefined })
  }
}

/** A reason without what the peer has a say in, numbers and what stands in quotes: it would make each a cause of its own. */
function causeIn(reason: string): string {
  return reason.replace(/".*"/s, '').replace(/\d+/g, '').slice(0, REASON_LIMIT)
}
