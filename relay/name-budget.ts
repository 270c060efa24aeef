import type { Clock } from '../core/base/clock.ts'

/** Names in all, of all senders: as many as the spool remembers streams of. */
const NAMES_LIMIT = 20_000
/** Ours. Each new name is a directory; a relay that starts anew knows those of its spool already. */
const NEW_NAMES_PER_MINUTE = 300
const MINUTE_MS = 60_000

export type Taken = 'taken' | 'too-many' | 'too-fast'

/** Bounds how many host names senders may use besides their own, and so how many directories they can make. Names are never forgotten while it runs. */
export class NameBudget {
  readonly #clock: Clock
  readonly #isKnown: (name: string) => boolean
  readonly #bySender = new Map<string, Set<string>>()
  #names = 0
  #minuteMs = Number.NEGATIVE_INFINITY
  #newNames = 0

  /** @param isKnown whether the spool has had messages of that name before */
  constructor(clock: Clock, isKnown: (name: string) => boolean) {
    this.#clock = clock
    this.#isKnown = isKnown
  }

  /** @param limit names of this sender */
  take(sender: string, name: string, limit: number): Taken {
    const names = this.#bySender.get(sender)
    if (names?.has(name) === true) return 'taken'
    if ((names?.size ?? 0) >= limit || this.#names >= NAMES_LIMIT) return 'too-many'
    if (!this.#isKnown(name) && !this.#mayBeNew()) return 'too-fast'
    if (names === undefined) this.#bySender.set(sender, new Set([name]))
    else names.add(name)
    this.#names++
    return 'taken'
  }

  #mayBeNew(): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#minuteMs >= MINUTE_MS) {
      this.#minuteMs = nowMs
      this.#newNames = 0
    }
    if (this.#newNames >= NEW_NAMES_PER_MINUTE) return false
    this.#newNames++
    return true
  }
}
