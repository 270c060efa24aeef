import type { Clock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import { printable } from '../core/base/printable.ts'
import type { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { ForeignMessageCompleter } from '../core/pipeline/foreign-message.ts'
import { type Flushed, OriginBatches } from '../core/pipeline/origin-batches.ts'
import type { Spool } from '../core/spool/spool.ts'
import type { Origins } from './origins.ts'

export interface ForeignWorld {
  readonly spool: Spool
  /** Of this relay. */
  readonly name: string
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly guard: RepeatGuard
}

/** Messages of senders that are no Loghop: completed to RFC 5424, filed under a name they may use, and gathered to batches. Serves every listener. */
export class ForeignMessages {
  readonly #world: ForeignWorld
  readonly #batches: OriginBatches
  readonly #completer: ForeignMessageCompleter

  /**
   * @param limitBytes longest message
   * @param isTrailerFraming whether NUL and LF at the end are the sender's framing: so with datagrams, while on a stream they have been taken off already
   */
  constructor(world: ForeignWorld, limitBytes: number, isTrailerFraming: boolean) {
    this.#world = world
    this.#completer = new ForeignMessageCompleter(limitBytes, isTrailerFraming, world.metrics, world.clock)
    this.#batches = new OriginBatches(world.spool, world.name, world.clock)
  }

  /**
   * Takes one message; what is over the limit is cut off.
   * @param address from where it came, see Hop
   * @returns why it is refused
   */
  take(bytes: Buffer, start: number, end: number, origins: Origins, address: string | undefined): string | undefined {
    const message = this.#completer.complete(bytes, start, end, origins.rights.name)
    this.#world.metrics.add('messagesReceived', 1)
    return this.#file(message, this.#completer.claimedHost, origins, address)
  }

  /** Stores what has been taken since the last call. */
  flush(): Flushed {
    const flushed = this.#batches.flush()
    this.#world.metrics.add('messagesStored', flushed.messages)
    this.#world.metrics.add('bytesStored', flushed.bytes)
    return flushed
  }

  #file(message: Uint8Array, claimed: string, origins: Origins, address: string | undefined): string | undefined {
    const { metrics, log, guard } = this.#world
    const origin = origins.of(claimed)
    const { name, namesLimit } = origins.rights
    if (origin.kind === 'refused') return `${name} may not speak for "${printable(claimed, 60)}"`
    if (origin.kind === 'renamed') metrics.add('messagesRenamed', 1)
    if (origin.kind === 'limited') {
      metrics.add('namesLimited', 1)
      const held = guard.repeated(`names ${name}`)
      if (held !== undefined) {
        const text = `${name} uses over ${namesLimit} host names, or new ones faster than directories may be made: "${printable(claimed, 60)}" and others are filed under ${name}`
        log.warn('names-limited', `${text}. Raise limits.names of the listener if that is right`, { name, held: held || undefined })
      }
    }
    this.#batches.add(origin.origin, address, message)
    return undefined
  }
}
