import type { Clock } from '../base/clock.ts'
import { LoghopError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { dayOf } from '../transport/certificate.ts'
import type { Authorities } from './authorities.ts'
import { askLists } from './enrolment.ts'
import { EstRefused, type EstServer } from './est-client.ts'
import { CRL_FILE } from './identity.ts'
import type { IdentityProblem } from './problems.ts'
import { replaceTogether } from './replace.ts'
import { Revocation, readListsPem } from './revocation.ts'

/** So many fetches in a row that fail are an alarm; the last good lists stay in use meanwhile. */
const MISSES_ALARMING = 10
const REPEAT_MS = 3_600_000
/** Part of the interval that is random, so that a site's hosts do not ask in one second. */
const JITTER = 0.1

export interface ListsWorld {
  readonly directory: string
  readonly everyMs: () => number
  /** Undefined while there is no authority to ask. */
  readonly server: () => EstServer | undefined
  readonly authorities: () => Authorities
  /** Lists have come into use that name certificates which the ones before did not. */
  readonly onRevoked: () => void
  /** A list was signed by nobody we know: there may be a new issuer. */
  readonly onUnknown: () => void
}

/** Keeps the revocation lists of an identity fresh. What cannot be fetched or believed changes nothing. */
export class ListsKeeper {
  readonly #world: ListsWorld
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #clock: Clock
  #revocation: Revocation
  #timer: NodeJS.Timeout | undefined
  #isUnderWay = false
  #isAskedAgain = false
  #tag: string | undefined
  #fetchedMs: number | undefined
  #misses = 0
  #failure: LoghopError | undefined
  #told = { text: '', atMs: 0 }
  #isStopped = false

  constructor(world: ListsWorld, kept: string | undefined, log: Log, metrics: Metrics, clock: Clock) {
    this.#world = world
    this.#log = log
    this.#metrics = metrics
    this.#clock = clock
    this.#revocation = Revocation.from(kept, world.authorities())
  }

  get revocation(): Revocation {
    return this.#revocation
  }

  start(): void {
    this.refresh()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** Fetches now; when that is under way already, once more after it. */
  refresh(): void {
    clearTimeout(this.#timer)
    if (this.#isStopped) return
    this.#isAskedAgain = this.#isUnderWay
    if (this.#isUnderWay) return
    this.#isUnderWay = true
    this.#fetch().finally(() => {
      this.#isUnderWay = false
      if (this.#isStopped) return
      const waitMs = this.#isAskedAgain ? 0 : this.#world.everyMs() * (1 - JITTER * Math.random())
      this.#timer = setTimeout(() => this.refresh(), waitMs)
      this.#timer.unref()
    })
  }

  /** The authorities, or crl.pem, have changed: lists are believed anew, and these are taken too. */
  reconsider(kept: string | undefined): void {
    this.#tag = undefined
    this.#use(this.#revocation.with(kept === undefined ? [] : readListsPem(kept), this.#world.authorities()))
  }

  status(): Record<string, string | number> {
    const { count, revokedCount, oldestMs } = this.#revocation
    const nowMs = this.#clock.wallUs() / 1000
    return {
      lists: count,
      revoked: revokedCount,
      ...(oldestMs === undefined
        ? {}
        : { made: dayOf(new Date(oldestMs)), age_seconds: Math.max(0, Math.round((nowMs - oldestMs) / 1000)) }),
      ...(this.#fetchedMs === undefined ? {} : { fetched: dayOf(new Date(this.#fetchedMs)) }),
      failure: this.#failure?.message ?? '',
    }
  }

  problems(): IdentityProblem[] {
    const { directory } = this.#world
    const late = this.#revocation.late(this.#clock.wallUs() / 1000).map(
      ({ sentence }): IdentityProblem => ({
        kind: 'list-late',
        level: 2,
        failing: false,
        sentence: `Identity ${directory}: ${sentence}; it stays in use, who was revoked since is not known`,
        remedy: this.#failure?.remedy ?? 'See whether the authority makes new lists ("loghop pki serve"), and whether the clocks agree',
      }),
    )
    if (this.#failure === undefined || this.#misses < MISSES_ALARMING) return late
    const sentence = `Identity ${directory}: revocation lists could not be fetched ${this.#misses} times in a row, the last good ones stay in use: ${this.#failure.message}`
    return [...late, { kind: 'lists-unreachable', level: 2, failing: false, sentence, remedy: this.#failure.remedy }]
  }

  async #fetch(): Promise<void> {
    const server = this.#world.server()
    if (server === undefined) return
    try {
      const answer = await askLists(server, this.#tag).catch((error: Error) => {
        // An EST server of another make: lists come from whoever puts crl.pem there.
        if (error instanceof EstRefused && error.status === 404) return undefined
        throw error
      })
      if (this.#isStopped) return
      if (answer !== undefined) await this.#take(answer.pem)
      this.#tag = answer === undefined ? this.#tag : answer.tag
      this.#fetchedMs = this.#clock.wallUs() / 1000
      if (this.#failure !== undefined) this.#log.info('lists-fetched', 'Revocation lists can be fetched again', {})
      this.#failure = undefined
      this.#misses = 0
    } catch (error) {
      this.#missed(error as Error)
    }
  }

  async #take(pem: string): Promise<void> {
    if (pem.trim() === '') return
    const next = this.#revocation.with(readListsPem(pem), this.#world.authorities())
    const isNew = next.pem !== this.#revocation.pem
    // In use before it is on disk: a full disk must not keep anyone in who was revoked.
    this.#use(next)
    if (next.unknownCount > 0) this.#world.onUnknown()
    if (isNew) await replaceTogether(this.#world.directory, { [CRL_FILE]: next.pem })
  }

  #use(next: Revocation): void {
    const before = this.#revocation
    this.#revocation = next
    if (next.isCoveredBy(before)) return
    this.#log.info('lists-changed', `Revocation lists in use name ${next.revokedCount} certificates`, { lists: next.count })
    this.#world.onRevoked()
  }

  #missed(error: Error): void {
    this.#misses++
    this.#metrics.add('revocationFetchesFailed', 1)
    this.#failure =
      error instanceof LoghopError
        ? error
        : new LoghopError('LISTS', `Cannot take revocation lists: ${error.message}`, 'It is tried again by itself')
    const nowMs = this.#clock.monotonicMs()
    const text = this.#failure.message
    if (text === this.#told.text && nowMs - this.#told.atMs < REPEAT_MS) return
    this.#told = { text, atMs: nowMs }
    this.#log.warn('lists-failed', `${text}. The last good revocation lists stay in use. ${this.#failure.remedy}`, { misses: this.#misses })
  }
}
