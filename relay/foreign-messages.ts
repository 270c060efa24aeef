import type { Clock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import { printable } from '../core/base/printable.ts'
import type { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { MessageCompleter } from '../core/pipeline/message-completer.ts'
import { type Flushed, OriginBatches } from '../core/pipeline/origin-batches.ts'
import type { Spool } from '../core/spool/spool.ts'
import type { Origins } from './origins.ts'

const SPACE = 0x20
const GREATER = 0x3e
/** Completers by the name they complete with; each takes some 200 KiB at the default limit. */
const COMPLETERS_LIMIT = 32

export interface ForeignWorld {
  readonly spool: Spool
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly guard: RepeatGuard
}

/** Messages of senders that are no Loghop: completed to RFC 5424, filed under a name they may use, and gathered to batches. Serves every listener. */
export class ForeignMessages {
  readonly #world: ForeignWorld
  readonly #batches: OriginBatches
  readonly #completers = new Map<string, MessageCompleter>()

  constructor(world: ForeignWorld) {
    this.#world = world
    this.#batches = new OriginBatches(world.spool, world.clock)
  }

  /** Takes one message of at most `limitBytes`. @returns why it is refused */
  take(bytes: Buffer, start: number, end: number, origins: Origins, limitBytes: number): string | undefined {
    const { metrics, clock } = this.#world
    let refused: string | undefined
    const completer = this.#completerOf(origins.rights.name, limitBytes)
    completer.complete(bytes.subarray(start, end), clock.wallUs(), 0, -1, {
      add: (message) => {
        refused = this.#file(message, origins)
      },
    })
    metrics.add('messagesReceived', 1)
    metrics.add('messagesUnparsed', completer.takeUnparsed())
    return refused
  }

  /** Stores what has been taken since the last call. */
  flush(): Flushed {
    const flushed = this.#batches.flush()
    this.#world.metrics.add('messagesStored', flushed.messages)
    this.#world.metrics.add('bytesStored', flushed.bytes)
    return flushed
  }

  #file(message: Uint8Array, origins: Origins): string | undefined {
    const { metrics, log, guard } = this.#world
    const claimed = hostnameOf(message)
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
    this.#batches.add(origin.origin, message)
    return undefined
  }

  #completerOf(name: string, limitBytes: number): MessageCompleter {
    const key = `${limitBytes} ${name}`
    const known = this.#completers.get(key)
    if (known !== undefined) return known
    if (this.#completers.size >= COMPLETERS_LIMIT) this.#completers.delete(this.#completers.keys().next().value!)
    const completer = new MessageCompleter(name, limitBytes)
    this.#completers.set(key, completer)
    return completer
  }
}

/** HOSTNAME of a message that has been completed to `<PRI>1 TIMESTAMP HOSTNAME ...`. */
function hostnameOf(message: Uint8Array): string {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length)
  const time = bytes.indexOf(GREATER) + 3
  const start = bytes.indexOf(SPACE, time) + 1
  return bytes.toString('latin1', start, bytes.indexOf(SPACE, start))
}
