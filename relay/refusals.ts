import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import type { RepeatGuard } from '../core/daemon/repeat-guard.ts'

const KEPT = 100

export interface Refusal {
  readonly time: string
  /** `address:port`, brackets around IPv6; or `unix#UID`. */
  readonly peer: string
  readonly check: string
  readonly text: string
}

/**
 * Connections that were refused: the last ones are kept for the status, and each cause is logged once a minute and address. The line begins with
 * `Refused ADDRESS:PORT: `, before anything that the peer has a say in; docs/fail2ban.md reads it.
 */
export class Refusals {
  readonly last: Refusal[] = []
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #guard: RepeatGuard

  constructor(log: Log, metrics: Metrics, guard: RepeatGuard) {
    this.#log = log
    this.#metrics = metrics
    this.#guard = guard
  }

  /** For the status alone. */
  keep(peer: string, check: string, text: string): void {
    this.last.push({ time: new Date().toISOString(), peer, check, text })
    if (this.last.length > KEPT) this.last.shift()
  }

  add(peer: string, check: string, why: string, fields: Readonly<Record<string, string>> = {}): void {
    this.#metrics.add('peersRefused', 1)
    const text = `Refused ${peer}: ${why}`
    this.keep(peer, check, text)
    const repeated = this.#guard.repeated(`${peer.replace(/:\d+$/, '')} ${check}`)
    if (repeated !== undefined) this.#log.warn('peer-refused', text, { peer, check, ...fields, repeated: repeated || undefined })
  }
}
