import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'

/** Every way in which a message can end other than by acknowledgement. */
export const LOSS_REASONS = {
  'spool-full': 'the spool is full, lowest severity first',
  'spool-failed': 'the spool could not be written',
  'udp-overrun': 'UDP messages came faster than they could be read',
  'udp-spool-full': 'the spool is full, and a UDP sender cannot be made to wait',
  'name-refused': 'they came under a host name that their sender may not use, and on_mismatch says refuse',
  'kernel-overrun': "the kernel's buffer was written over before it could be read",
  'connection-cut': 'their connection ended or was cut off within a message',
} as const
export type LossReason = keyof typeof LOSS_REASONS

interface Episode {
  count: number
  firstUs: number
  lastMs: number
  lastUs: number
  reportedMs: number
}

/** An episode ends when nothing has been lost for this long; one that goes on is reported at this interval. */
const QUIET_MS = 5000
const REPORT_MS = 60_000

/** MSGID of the line in the host's own file. */
export const LOSS_EVENT = 'loss'

/** Counts what is lost, and says so when it begins, while it goes on, and when it has ended: in the log, and in the host's own file. */
export class Loss {
  readonly #name: string
  readonly #log: Log
  readonly #clock: Clock
  readonly #totals = new Map<LossReason, number>()
  readonly #episodes = new Map<LossReason, Episode>()
  readonly #timer: NodeJS.Timeout
  #record: ((text: string) => boolean) | undefined

  /** @param name of this host, for the line in its file */
  constructor(name: string, log: Log, clock: Clock) {
    this.#name = name
    this.#log = log
    this.#clock = clock
    this.#timer = setInterval(() => this.#look(), 1000)
    this.#timer.unref()
  }

  /** Stores a line in the host's own file. @param record false when it cannot be stored now */
  recordWith(record: (text: string) => boolean): void {
    this.#record = record
  }

  get total(): number {
    let total = 0
    for (const count of this.#totals.values()) total += count
    return total
  }

  totals(): Record<string, number> {
    return Object.fromEntries(this.#totals)
  }

  count(reason: LossReason, messages: number, detail?: string): void {
    if (messages === 0) return
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + messages)
    const nowUs = this.#clock.wallUs()
    const nowMs = this.#clock.monotonicMs()
    const episode = this.#episodes.get(reason)
    if (episode !== undefined) {
      if (episode.count === 0) episode.firstUs = nowUs
      episode.count += messages
      episode.lastUs = nowUs
      episode.lastMs = nowMs
      return
    }
    this.#episodes.set(reason, { count: messages, firstUs: nowUs, lastUs: nowUs, lastMs: nowMs, reportedMs: nowMs })
    this.#log.error('loss-begins', `Messages are being lost: ${LOSS_REASONS[reason]}${detail === undefined ? '' : ` (${detail})`}`, {
      reason,
    })
  }

  /** Reports what has not been reported yet. */
  stop(): void {
    clearInterval(this.#timer)
    for (const [reason, episode] of this.#episodes) this.#report(reason, episode)
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [reason, episode] of this.#episodes) {
      const isQuiet = nowMs - episode.lastMs >= QUIET_MS
      if (nowMs - episode.reportedMs < (isQuiet ? QUIET_MS : REPORT_MS)) continue
      if (!this.#report(reason, episode)) continue
      episode.reportedMs = nowMs
      if (isQuiet) this.#episodes.delete(reason)
    }
  }

  #report(reason: LossReason, episode: Episode): boolean {
    if (episode.count === 0) return true
    const [first, last] = [episode.firstUs, episode.lastUs].map((us) => new Date(us / 1000).toISOString())
    const text = `${episode.count} messages lost at ${this.#name}: ${LOSS_REASONS[reason]}, ${first} to ${last}`
    this.#log.error(LOSS_EVENT, text, { reason, count: episode.count })
    // Not told in the file now: told again, with what has come to it, at the next report.
    if (this.#record !== undefined && !this.#record(text)) {
      episode.reportedMs = this.#clock.monotonicMs()
      return false
    }
    episode.count = 0
    return true
  }
}
