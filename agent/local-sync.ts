import type { Clock } from '../core/base/clock.ts'
import type { Spool } from '../core/spool/spool.ts'

/** Under load local files are at most this far behind; what comes after a pause is there at once. */
const PAUSE_MS = 50

/** Makes what is appended durable, for destinations that are shown nothing else: at once after a pause, and now and then under load. */
export class LocalSync {
  readonly #spool: Spool
  readonly #clock: Clock
  readonly #unsubscribe: () => void
  #timer: NodeJS.Timeout | undefined
  #lastMs = Number.NEGATIVE_INFINITY
  /** Where there are no such destinations, each checkpoint is soon enough. */
  isWanted = false

  constructor(spool: Spool, clock: Clock) {
    this.#spool = spool
    this.#clock = clock
    this.#unsubscribe = spool.onAppended(() => this.#appended())
  }

  stop(): void {
    this.#unsubscribe()
    clearTimeout(this.#timer)
  }

  #appended(): void {
    if (!this.isWanted || this.#timer !== undefined) return
    const waitMs = this.#lastMs + PAUSE_MS - this.#clock.monotonicMs()
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#lastMs = this.#clock.monotonicMs()
        void this.#spool.commit()
      },
      Math.max(0, waitMs),
    )
  }
}
