import type { Clock } from '../core/base/clock.ts'

/** Names in all, of all senders: as many as the spool remembers streams of. */
const NAMES_LIMIT = 20_000
/** Ours. Each new name is a directory; a relay that starts anew knows those of its spool already. */
const NEW_NAMES_PER_MINUTE = 300
/** Of one sender, so that a flood of it leaves others their part. */
const SENDER_NEW_NAMES_PER_MINUTE = 100
const MINUTE_MS = 60_000

export type Taken = 'taken' | 'too-many' | 'too-fast'

interface Sender {
  readonly names: Set<string>
  /** In the minute under way. */
  newNames: number
}

/**
 * Bounds how many host names senders may use besides their own, and so how many directories they can make, and how many streams of others they can
 * push out of the spool's memory. Names are never forgotten while it runs.
 */
export class NameBudget {
  readonly #clock: Clock
  readonly #isKnown: (name: string) => boolean
  readonly #bySender = new Map<string, Sender>()
  /** What relays of ours have brought in batches, by the relay. */
  readonly #brought = new Map<string, Set<string>>()
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
    const known = this.#bySender.get(sender)
    if (known?.names.has(name) === true) return 'taken'
    if ((known?.names.size ?? 0) >= limit || this.#names >= NAMES_LIMIT) return 'too-many'
    const entry = known ?? { names: new Set<string>(), newNames: 0 }
    if (!this.#isKnown(name) && !this.#mayBeNew(entry)) return 'too-fast'
    this.#bySender.set(sender, entry)
    entry.names.add(name)
    this.#names++
    return 'taken'
  }

  /** Whether a relay of ours may bring batches of this host too. @param limit hosts of this relay */
  bring(relay: string, origin: string, limit: number): boolean {
    const brought = this.#brought.get(relay) ?? new Set()
    if (brought.has(origin)) return true
    if (brought.size >= limit) return false
    this.#brought.set(relay, brought.add(origin))
    return true
  }

  #mayBeNew(sender: Sender): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#minuteMs >= MINUTE_MS) {
      this.#minuteMs = nowMs
      this.#newNames = 0
      for (const each of this.#bySender.values()) each.newNames = 0
    }
    if (this.#newNames >= NEW_NAMES_PER_MINUTE || sender.newNames >= SENDER_NEW_NAMES_PER_MINUTE) return false
    this.#newNames++
    sender.newNames++
    return true
  }
}
