// When what was gathered is stored next. A record costs as much as a dozen messages, and one of few messages is dear when very many come:
//
//   the last flush had           the next one comes
//   few messages                 at once: nobody waits for nothing
//   many, but few a batch        later than the last time, up to 50 ms after it
//   many a batch                 as late as the last time, or sooner

const FEW_MESSAGES = 256
const FEW_A_BATCH = 16
const MANY_A_BATCH = 64
const FIRST_MS = 4
const LIMIT_MS = 50

export class FlushPace {
  #paceMs = 0
  #flushedMs = Number.NEGATIVE_INFINITY

  /** Milliseconds that the next flush waits. */
  waitMs(nowMs: number): number {
    return this.#paceMs - (nowMs - this.#flushedMs)
  }

  flushed(messages: number, batches: number, nowMs: number): void {
    this.#flushedMs = nowMs
    if (messages < FEW_MESSAGES) this.#paceMs = 0
    else if (messages < batches * FEW_A_BATCH) this.#paceMs = Math.min(LIMIT_MS, Math.max(FIRST_MS, this.#paceMs * 2))
    else if (messages > batches * MANY_A_BATCH) this.#paceMs = this.#paceMs < FIRST_MS ? 0 : this.#paceMs / 2
  }
}
