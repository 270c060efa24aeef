import type { Clock } from '../base/clock.ts'
import type { Metrics } from '../base/metrics.ts'
import { FOREIGN_GROWTH_LIMIT_BYTES, FOREIGN_SCRATCH_BYTES, ForeignCompleter } from '../syslog/foreign.ts'
import { localMinutes } from '../syslog/timestamp.ts'

/** ForeignCompleter for messages that come in a buffer of their own from the network. */
export class ForeignMessageCompleter {
  readonly #limitBytes: number
  readonly memory: Buffer
  readonly start: number
  readonly #completer: ForeignCompleter
  readonly #metrics: Metrics
  readonly #clock: Clock

  /**
   * @param limitBytes longest message: what is over it is cut off
   * @param isTrailerFraming whether NUL and LF at the end are the sender's framing: so with datagrams, while on a stream they have been taken off already
   */
  constructor(limitBytes: number, isTrailerFraming: boolean, metrics: Metrics, clock: Clock) {
    this.#limitBytes = limitBytes
    this.memory = Buffer.from(new ArrayBuffer(FOREIGN_SCRATCH_BYTES + 2 * limitBytes + FOREIGN_GROWTH_LIMIT_BYTES))
    this.#completer = new ForeignCompleter(this.memory, 0, { minutesAt: localMinutes, isTrailerFraming })
    this.start = FOREIGN_SCRATCH_BYTES + limitBytes
    this.#metrics = metrics
    this.#clock = clock
  }

  /**
   * Completes one message to RFC 5424.
   * @param spareHost HOSTNAME where the message names none
   * @returns the message, valid until the next call
   */
  complete(bytes: Buffer, start: number, end: number, spareHost: string): Uint8Array {
    return this.memory.subarray(this.start, this.completeAt(bytes, start, end, spareHost, this.#clock.wallUs()))
  }

  /** The same, without an object for each message. @returns where the message, which begins at `start` of `memory`, ends */
  completeAt(bytes: Buffer, start: number, end: number, spareHost: string, receivedUs: number): number {
    const completer = this.#completer
    const from = FOREIGN_SCRATCH_BYTES
    const length = Math.min(end - start, this.#limitBytes)
    bytes.copy(this.memory, from, start, start + length)
    completer.setSpareHost(spareHost)
    const done = completer.complete(from, from + length, this.start, Math.floor(receivedUs / 1_000_000), receivedUs % 1_000_000)
    const unparsed = completer.takeUnparsed()
    if (unparsed > 0) this.#metrics.add('messagesUnparsed', unparsed)
    return done
  }

  /** Where HOSTNAME of the message completed last, as it was sent, stands in `memory`; nothing where it named none. */
  get hostStart(): number {
    return this.#completer.hasHost ? this.#completer.hostStart : 0
  }

  get hostEnd(): number {
    return this.#completer.hasHost ? this.#completer.hostEnd : 0
  }
}
