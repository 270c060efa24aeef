import type { Clock } from '../base/clock.ts'
import type { Metrics } from '../base/metrics.ts'
import { FOREIGN_GROWTH_LIMIT_BYTES, FOREIGN_SCRATCH_BYTES, ForeignCompleter } from '../syslog/foreign.ts'
import { localMinutes } from '../syslog/timestamp.ts'

/** ForeignCompleter for messages that come in a buffer of their own from the network. */
export class ForeignMessageCompleter {
  readonly #limitBytes: number
  readonly #memory: Buffer
  readonly #completer: ForeignCompleter
  readonly #metrics: Metrics
  readonly #clock: Clock

  /**
   * @param limitBytes longest message: what is over it is cut off
   * @param isTrailerFraming whether NUL and LF at the end are the sender's framing: so with datagrams, while on a stream they have been taken off already
   */
  constructor(limitBytes: number, isTrailerFraming: boolean, metrics: Metrics, clock: Clock) {
    this.#limitBytes = limitBytes
    this.#memory = Buffer.from(new ArrayBuffer(FOREIGN_SCRATCH_BYTES + 2 * limitBytes + FOREIGN_GROWTH_LIMIT_BYTES))
    this.#completer = new ForeignCompleter(this.#memory, 0, { minutesAt: localMinutes, isTrailerFraming })
    this.#metrics = metrics
    this.#clock = clock
  }

  /**
   * Completes one message to RFC 5424.
   * @param spareHost HOSTNAME where the message names none
   * @returns the message, valid until the next call
   */
  complete(bytes: Buffer, start: number, end: number, spareHost: string): Uint8Array {
    const completer = this.#completer
    const from = FOREIGN_SCRATCH_BYTES
    const length = Math.min(end - start, this.#limitBytes)
    bytes.copy(this.#memory, from, start, start + length)
    const receivedUs = this.#clock.wallUs()
    const out = from + this.#limitBytes
    completer.setSpareHost(spareHost)
    const done = completer.complete(from, from + length, out, Math.floor(receivedUs / 1_000_000), receivedUs % 1_000_000)
    this.#metrics.add('messagesUnparsed', completer.takeUnparsed())
    return this.#memory.subarray(out, done)
  }

  /** HOSTNAME of the message completed last, as it was sent; empty where it named none. */
  get claimedHost(): string {
    const { hasHost, hostStart, hostEnd } = this.#completer
    return hasHost ? this.#memory.toString('latin1', hostStart, hostEnd) : ''
  }
}
