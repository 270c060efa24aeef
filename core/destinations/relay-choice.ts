import { Backoff } from '../base/backoff.ts'

const RETRY_FIRST_MS = 200
const RETRY_LIMIT_MS = 30_000

/**
 * Which relay of a list comes next. In order: the first that answers, and back to the preferred one later. Balanced: a random one for
 * each new connection, so that many senders spread over the list.
 */
export class RelayChoice {
  readonly #count: number
  readonly #isBalanced: boolean
  readonly #random: () => number
  readonly #backoff: Backoff
  #index: number
  /** Failures since something was achieved; a pause comes after each round of the list. */
  #failures = 0

  constructor(count: number, isBalanced: boolean, random: () => number = Math.random) {
    this.#count = count
    this.#isBalanced = isBalanced
    this.#random = random
    this.#backoff = new Backoff(RETRY_FIRST_MS, RETRY_LIMIT_MS, random)
    this.#index = isBalanced ? Math.floor(random() * count) : 0
  }

  /** Index of the relay in use. */
  get index(): number {
    return this.#index
  }

  /** Whether a relay stands before the one in use, to which it should go back when that one is up again. */
  get isFallback(): boolean {
    return !this.#isBalanced && this.#index > 0
  }

  /** The relay in use failed: moves on. @returns milliseconds to wait before the next attempt */
  failed(): number {
    this.#failures++
    // Balanced, each attempt is a new draw; the step keeps it from the one that just failed.
    const step = this.#isBalanced && this.#count > 2 ? 1 + Math.floor(this.#random() * (this.#count - 1)) : 1
    this.#index = (this.#index + step) % this.#count
    return this.#failures % this.#count === 0 ? this.#backoff.next() : 0
  }

  /** An acknowledgement came: only that is progress. */
  succeeded(): void {
    this.#failures = 0
    this.#backoff.reset()
  }

  /** The preferred relay is up again. */
  goBack(): void {
    this.#index = 0
    this.#failures = 0
  }
}
