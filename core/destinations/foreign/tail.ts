import type { Clock } from '../../base/clock.ts'

/** What was handed to the system this long ago counts as arrived when the connection still stands. */
export const TAIL_MS = 1000
// More than the kernels on both ends hold for one connection (4 MiB to send and 6 MiB received, by Linux's limits).
const TAIL_BYTES = 12 << 20
// A receiver that refuses our certificate says so only after we were allowed to send.
const PROBATION_MS = 5000
/** What is handed over within this time is one entry, so that there are never many. */
const GRAIN_MS = 50

interface Handed {
  messages: number
  bytes: number
  readonly firstMs: number
  lastMs: number
}

/**
 * The last that was sent over a protocol without acknowledgements. It counts as done a second after the system took it, and not while the receiver is
 * behind, so that a connection that breaks costs repeated messages rather than lost ones. See docs/forwarding.md.
 */
export class Tail {
  readonly #clock: Clock
  readonly #onDone: (messages: number) => void
  readonly #beganMs: number
  readonly #handed: Handed[] = []
  #bytes = 0

  constructor(clock: Clock, onDone: (messages: number) => void) {
    this.#clock = clock
    this.#onDone = onDone
    this.#beganMs = clock.monotonicMs()
  }

  get isEmpty(): boolean {
    return this.#handed.length === 0
  }

  /** The system has taken them. */
  hand(messages: number, bytes: number): void {
    const nowMs = this.#clock.monotonicMs()
    this.#bytes += bytes
    const last = this.#handed.at(-1)
    if (last === undefined || nowMs - last.firstMs > GRAIN_MS) this.#handed.push({ messages, bytes, firstMs: nowMs, lastMs: nowMs })
    else {
      last.messages += messages
      last.bytes += bytes
      last.lastMs = nowMs
    }
  }

  /** Lets go of what is old enough. @param isBehind more waits to be taken: then only what as much came after as the system can hold */
  settle(isBehind: boolean): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#beganMs < PROBATION_MS) return
    let messages = 0
    for (let first = this.#handed[0]; first !== undefined; first = this.#handed[0]) {
      if (nowMs - first.lastMs < TAIL_MS || (isBehind && this.#bytes - first.bytes < TAIL_BYTES)) break
      this.#handed.shift()
      this.#bytes -= first.bytes
      messages += first.messages
    }
    if (messages > 0) this.#onDone(messages)
  }

  /** The receiver has closed in order after the last byte: all of it has arrived. */
  settleAll(): void {
    let messages = 0
    for (const handed of this.#handed.splice(0)) messages += handed.messages
    this.#bytes = 0
    if (messages > 0) this.#onDone(messages)
  }
}
