import type { Clock } from '../base/clock.ts'

const WINDOW_MS = 60_000
const KEYS_FALLBACK = 1000

/** Lets one line per cause and minute through, and counts the others. Bounded: the oldest cause is forgotten first. */
export class RepeatGuard {
  readonly #clock: Clock
  readonly #keysLimit: number
  readonly #seen = new Map<string, { sinceMs: number; held: number }>()

  constructor(clock: Clock, keysLimit = KEYS_FALLBACK) {
    this.#clock = clock
    this.#keysLimit = keysLimit
  }

  /** How many of this cause were held back since its last line, or undefined when this one is held back too. */
  repeated(key: string): number | undefined {
    const nowMs = this.#clock.monotonicMs()
    const seen = this.#seen.get(key)
    if (seen !== undefined && nowMs - seen.sinceMs < WINDOW_MS) {
      seen.held++
      return undefined
    }
    this.#seen.delete(key)
    if (this.#seen.size >= this.#keysLimit) this.#seen.delete(this.#seen.keys().next().value!)
    this.#seen.set(key, { sinceMs: nowMs, held: 0 })
    return seen?.held ?? 0
  }
}
