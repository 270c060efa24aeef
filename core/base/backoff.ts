/** Waits between attempts: doubling from `firstMs` to `limitMs`, each a random part of it ("full jitter"), so that many clients spread. */
export class Backoff {
  readonly #firstMs: number
  readonly #limitMs: number
  readonly #random: () => number
  #ceilingMs: number

  constructor(firstMs: number, limitMs: number, random: () => number = Math.random) {
    this.#firstMs = firstMs
    this.#limitMs = limitMs
    this.#random = random
    this.#ceilingMs = firstMs
  }

  /** Milliseconds to wait before the next attempt, at least a tenth of the ceiling. */
  next(): number {
    const ceilingMs = this.#ceilingMs
    this.#ceilingMs = Math.min(this.#limitMs, ceilingMs * 2)
    return ceilingMs * (0.1 + 0.9 * this.#random())
  }

  /** Something was achieved (a connection alone is nothing: an acknowledgement is). */
  reset(): void {
    this.#ceilingMs = this.#firstMs
  }
}
