import type { Clock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import { printable } from '../core/base/printable.ts'
import type { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { ForeignMessageCompleter } from '../core/pipeline/foreign-message.ts'
import type { Loss } from '../core/pipeline/loss.ts'
import { OriginBatches } from '../core/pipeline/origin-batches.ts'
import type { Spool } from '../core/spool/spool.ts'
import { FlushPace } from './flush-pace.ts'
import type { Origins } from './origins.ts'

/** What is gathered at most before it is stored. */
const GATHERED_LIMIT_BYTES = 4 << 20

export interface ForeignWorld {
  readonly spool: Spool
  /** Of this relay. */
  readonly name: string
  readonly log: Log
  readonly metrics: Metrics
  readonly loss: Pick<Loss, 'count'>
  readonly clock: Clock
  readonly guard: RepeatGuard
}

/**
 * Messages of senders that are no Loghop: completed to RFC 5424, filed under a name they may use, and gathered to batches. Serves every listener, and gathers
 * what all connections bring: at once while that is little, and under load for as long as makes batches worth their cost (FlushPace).
 */
export class ForeignMessages {
  readonly #world: ForeignWorld
  readonly #completer: ForeignMessageCompleter
  /** Of senders that wait for an acknowledgement, and of those that do not: only what the latter sent is lost when it cannot be stored. */
  readonly #acknowledged: OriginBatches
  readonly #others: OriginBatches
  readonly #pace = new FlushPace()
  #cycle: PromiseWithResolvers<void> | undefined
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  #error: unknown
  #received = 0
  #failed = 0
  /** Time of receipt of what comes in one delivery. */
  #nowUs = 0

  /**
   * @param limitBytes longest message
   * @param isTrailerFraming whether NUL and LF at the end are the sender's framing: so with datagrams, while on a stream they have been taken off already
   */
  constructor(world: ForeignWorld, limitBytes: number, isTrailerFraming: boolean) {
    this.#world = world
    this.#completer = new ForeignMessageCompleter(limitBytes, isTrailerFraming, world.metrics, world.clock)
    const failed = (messages: number, error: unknown): void => {
      this.#failed += messages
      this.#error ??= error
    }
    this.#acknowledged = new OriginBatches(world.spool, world.name, world.clock, (messages, _, error) => failed(messages, error))
    this.#others = new OriginBatches(world.spool, world.name, world.clock, (messages, origin, error) => {
      failed(messages, error)
      world.loss.count('spool-failed', messages, origin)
    })
  }

  /**
   * Takes one message; what is over the limit is cut off.
   * @param address from where it came, see Hop
   * @param isAcknowledged whether the sender keeps it until it is acknowledged
   * @returns why it is refused
   */
  take(
    bytes: Buffer,
    start: number,
    end: number,
    origins: Origins,
    address: string | undefined,
    isAcknowledged: boolean,
  ): string | undefined {
    this.#received++
    if (this.#nowUs === 0) this.#nowUs = this.#world.clock.wallUs()
    const completer = this.#completer
    const done = completer.completeAt(bytes, start, end, origins.rights.name, this.#nowUs)
    const origin = origins.ofBytes(completer.memory, completer.hostStart, completer.hostEnd)
    if (origin.kind === 'refused') return `${origins.rights.name} may not speak for "${printable(this.#claimed(), 60)}"`
    if (origin.kind === 'renamed') this.#world.metrics.add('messagesRenamed', 1)
    else if (origin.kind === 'limited') this.#tellLimited(origins)
    const batches = isAcknowledged ? this.#acknowledged : this.#others
    batches.add(origin.origin, address, completer.memory, completer.start, done)
    return undefined
  }

  /** Resolves when all that has been taken is in the spool, though not on the disk yet. Rejects with the errno when something is not. */
  stored(): Promise<void> {
    this.#nowUs = 0
    if (this.#received > 0) this.#world.metrics.add('messagesReceived', this.#received)
    this.#received = 0
    if (this.#bytes === 0) return Promise.resolve()
    if (this.#cycle === undefined) {
      this.#cycle = Promise.withResolvers()
      // Whoever waits for it hears of it; a sender that has gone does not.
      this.#cycle.promise.catch(() => undefined)
    }
    const { promise } = this.#cycle
    if (this.#bytes >= GATHERED_LIMIT_BYTES) this.flush()
    else if (this.#timer === undefined) {
      const waitMs = this.#pace.waitMs(this.#world.clock.monotonicMs())
      this.#timer = waitMs < 1 ? setImmediate(() => this.flush()) : setTimeout(() => this.flush(), waitMs)
    }
    return promise
  }

  /** Stores what has been taken now. */
  flush(): void {
    clearTimeout(this.#timer as NodeJS.Timeout)
    clearImmediate(this.#timer as NodeJS.Immediate)
    this.#timer = undefined
    const { metrics, clock } = this.#world
    const flushed = [this.#acknowledged, this.#others].map((batches) => (batches.bytes === 0 ? NOTHING : batches.flush()))
    const sum = (pick: (one: typeof NOTHING) => number): number => pick(flushed[0]!) + pick(flushed[1]!)
    this.#pace.flushed(
      sum(({ messages }) => messages),
      sum(({ batches }) => batches),
      clock.monotonicMs(),
    )
    metrics.add('messagesStored', sum(({ messages }) => messages) - this.#failed)
    metrics.add(
      'bytesStored',
      sum(({ bytes }) => bytes),
    )
    const cycle = this.#cycle
    const error = this.#error
    this.#cycle = undefined
    this.#error = undefined
    this.#failed = 0
    if (error === undefined) cycle?.resolve()
    else cycle?.reject(error)
  }

  get #bytes(): number {
    return this.#acknowledged.bytes + this.#others.bytes
  }

  #claimed(): string {
    const { memory, hostStart, hostEnd } = this.#completer
    return memory.toString('latin1', hostStart, hostEnd)
  }

  #tellLimited({ rights: { name, namesLimit } }: Origins): void {
    const { metrics, guard, log } = this.#world
    metrics.add('namesLimited', 1)
    const held = guard.repeated(`names ${name}`)
    if (held === undefined) return
    const text = `${name} uses over ${namesLimit} host names, or new ones faster than directories may be made: "${printable(this.#claimed(), 60)}" and others are filed under ${name}`
    log.warn('names-limited', `${text}. Raise limits.names of the listener if that is right`, { name, held: held || undefined })
  }
}

const NOTHING = { messages: 0, bytes: 0, batches: 0 }
