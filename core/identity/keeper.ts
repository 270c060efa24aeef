import { type Address, formatAddress, parseAddress } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import { LoghopError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { formatDuration } from '../base/quantities.ts'
import { dayOf, describeCertificate } from '../transport/certificate.ts'
import { certificatesIn } from '../transport/pem.ts'
import { Authorities } from './authorities.ts'
import { bundleText, pemOf } from './bundle.ts'
import { askBundle, askCertificate, rootsHeader } from './enrolment.ts'
import { EstRefused, type EstServer } from './est-client.ts'
import { CA_FILE, CERT_FILE, type Identity, KEY_FILE, loadIdentity } from './identity.ts'
import { ListsKeeper } from './lists-keeper.ts'
import { newKeyPem } from './new-key.ts'
import { type IdentityProblem, identityProblems, type RenewalState } from './problems.ts'
import { type Life, renewAtMs, retryAfterMs, spreadMs, tickMs } from './renewal.ts'
import { replaceTogether } from './replace.ts'

const ROOTS_EVERY_MS = 3_600_000
/** A problem that lasts is told again after this long, or half of a short life. */
const TELL_AGAIN_MS = 86_400_000
const SAME_FAILURE_MS = 60_000

export interface KeeperOptions {
  readonly directory: string
  /** From the configuration; without one the identity's own file `authority` counts. */
  readonly authority: Address | undefined
  readonly renew: boolean
  readonly listsEveryMs: number
}

export interface KeeperEvents {
  /** For new connections from here on. `isRenewed`: another certificate; the old connections should move over within `spreadMs`. */
  onIdentity(identity: Identity, isRenewed: boolean, spreadMs: number): void
  /** Further certificates are revoked: live connections have to be looked at. */
  onRevoked(): void
}

function chainOf(identity: Identity) {
  return certificatesIn(identity.cert) ?? []
}

function authoritiesOf(identity: Identity): Authorities {
  return new Authorities(certificatesIn(identity.ca) ?? [], chainOf(identity).slice(1))
}

/** Keeps the identity of a running daemon fresh: certificate, roots and revocation lists; see FORMAT.md, Renewal. */
export class IdentityKeeper {
  #options: KeeperOptions
  readonly #events: KeeperEvents
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #lists: ListsKeeper
  #identity: Identity
  #renewAtMs: number
  #failures = 0
  #failure: LoghopError | undefined
  #toldFailure = { text: '', atMs: 0 }
  #tryAtMs = 0
  #triedMs = 0
  #rootsAtMs = 0
  #renewedMs: number | undefined
  #timer: NodeJS.Timeout | undefined
  #isBusy = false
  #isStopped = false
  readonly #told = new Map<string, number>()

  /** @throws {LoghopError} IDENTITY_* */
  constructor(options: KeeperOptions, events: KeeperEvents, log: Log, metrics: Metrics, clock: Clock) {
    this.#options = options
    this.#events = events
    this.#log = log
    this.#metrics = metrics
    this.#clock = clock
    const loaded = loadIdentity(options.directory)
    this.#identity = loaded
    const world = {
      directory: options.directory,
      everyMs: () => this.#options.listsEveryMs,
      server: () => this.#server(),
      authorities: () => authoritiesOf(this.#identity),
      onRevoked: () => this.#events.onRevoked(),
      onUnknown: () => {
        this.#rootsAtMs = Math.min(this.#rootsAtMs, this.#nowMs + spreadMs(this.#life, SAME_FAILURE_MS))
      },
    }
    this.#lists = new ListsKeeper(world, loaded.crl, log, metrics, clock)
    this.#identity = this.#live(loaded)
    this.#renewAtMs = renewAtMs(this.#life, Math.random())
    this.#tellProblems()
  }

  /** As new connections should use it; its `revoked` always asks the newest lists. */
  get identity(): Identity {
    return this.#identity
  }

  start(): void {
    this.#lists.start()
    this.#schedule(0)
  }

  /** What is under way on the network is given up; what is being written is finished. */
  stop(): void {
    this.#isStopped = true
    this.#lists.stop()
    clearTimeout(this.#timer)
  }

  /** From now on these count; the directory stays. */
  change(options: Omit<KeeperOptions, 'directory'>): void {
    this.#options = { ...options, directory: this.#options.directory }
  }

  /** SIGHUP: the files are read again, and lists are fetched at once. */
  reload(): void {
    try {
      this.#use(loadIdentity(this.#options.directory))
      this.#log.info('identity-loaded', `Identity read again: ${describeCertificate(this.#identity.facts)}`, {})
      this.#told.clear()
      this.#tellProblems()
    } catch (error) {
      this.#log.error('identity-kept', `${(error as Error).message}. The identity in use is kept`, {})
    }
    this.#failures = 0
    this.#tryAtMs = 0
    this.#rootsAtMs = 0
    this.#lists.refresh()
    if (!this.#isBusy) this.#schedule(0)
  }

  problems(): IdentityProblem[] {
    return [...identityProblems(this.#identity, this.#nowMs, this.#renewalState()), ...this.#lists.problems()]
  }

  /** For the status; also brings the levels of the metrics up to date. */
  status(): Record<string, unknown> {
    const server = this.#authority()
    const { facts } = this.#identity
    this.#measure()
    return {
      certificate_valid_to: facts.validTo.toISOString(),
      renewal: {
        authority: server === undefined ? '' : formatAddress(server),
        next: this.#renews ? dayOf(new Date(Math.max(this.#renewAtMs, this.#tryAtMs))) : '',
        renewed: this.#renewedMs === undefined ? '' : dayOf(new Date(this.#renewedMs)),
        failures: this.#failures,
        failure: this.#failure?.message ?? '',
        remedy: this.#failure?.remedy ?? '',
      },
      revocation: this.#lists.status(),
    }
  }

  get #nowMs(): number {
    return this.#clock.wallUs() / 1000
  }

  get #life(): Life {
    const { validFrom, validTo } = this.#identity.facts
    return { fromMs: validFrom.getTime(), toMs: validTo.getTime() }
  }

  get #renews(): boolean {
    return this.#options.renew && this.#authority() !== undefined
  }

  #authority(): Address | undefined {
    if (this.#options.authority !== undefined) return this.#options.authority
    const kept = this.#identity.authority
    const result = kept === undefined ? undefined : parseAddress(kept)
    return result?.kind === 'ok' ? result.value : undefined
  }

  /** With our certificate, also where none is asked for: the authority learns that we live, and what we trust. */
  #server(): EstServer | undefined {
    const address = this.#authority()
    if (address === undefined) return undefined
    const { ca, key, cert, revoked } = this.#identity
    return { address, ca, revoked, client: { key, cert } }
  }

  #renewalState(): RenewalState | undefined {
    const address = this.#authority()
    if (!this.#options.renew || address === undefined) return undefined
    const failure = this.#failure === undefined ? undefined : { sentence: this.#failure.message, remedy: this.#failure.remedy }
    return { authority: formatAddress(address), failure }
  }

  #live(loaded: Identity): Identity {
    return { ...loaded, revoked: (certificate) => this.#lists.revocation.check(certificate) }
  }

  #use(loaded: Identity): void {
    const isRenewed = loaded.cert !== this.#identity.cert || loaded.key !== this.#identity.key
    this.#identity = this.#live(loaded)
    if (isRenewed) {
      this.#renewAtMs = renewAtMs(this.#life, Math.random())
      this.#failures = 0
      this.#failure = undefined
    }
    this.#events.onIdentity(this.#identity, isRenewed, spreadMs(this.#life))
    this.#lists.reconsider(loaded.crl)
  }

  #schedule(waitMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isStopped) return
    this.#timer = setTimeout(() => void this.#tick(), waitMs)
    this.#timer.unref()
  }

  async #tick(): Promise<void> {
    this.#isBusy = true
    try {
      const nowMs = this.#nowMs
      // A clock that was set back must not put off an attempt until it has caught up; and what failed by the wrong one is tried again at once.
      if (nowMs < this.#triedMs) {
        this.#tryAtMs = 0
        this.#rootsAtMs = 0
      }
      const isDue = this.#renews && nowMs >= this.#renewAtMs
      const areRootsDue = this.#authority() !== undefined && (nowMs >= this.#rootsAtMs || this.#rootsAtMs > nowMs + ROOTS_EVERY_MS)
      if ((isDue || areRootsDue) && nowMs >= this.#tryAtMs) await this.#attempt(isDue)
      if (!this.#isStopped) this.#tellProblems()
    } finally {
      this.#isBusy = false
      this.#schedule(tickMs(this.#life))
    }
  }

  async #attempt(isDue: boolean): Promise<void> {
    this.#triedMs = this.#nowMs
    try {
      if (isDue) await this.#renew()
      else await this.#fetchRoots()
      if (this.#failure !== undefined) this.#log.info('authority-answers', 'The authority answers again', {})
      this.#failures = 0
      this.#failure = undefined
      this.#tryAtMs = 0
      this.#rootsAtMs = this.#nowMs + Math.min(ROOTS_EVERY_MS, (this.#life.toMs - this.#life.fromMs) / 4)
    } catch (error) {
      this.#failed(error as Error, isDue)
    }
  }

  #failed(error: Error, isDue: boolean): void {
    this.#failures++
    this.#metrics.add('identityRenewalsFailed', 1)
    const failure =
      error instanceof LoghopError
        ? error
        : new LoghopError(
            'IDENTITY_RENEWAL',
            `Cannot renew the identity: ${error.message}`,
            'It is tried again by itself; if it goes on, report it',
          )
    this.#failure = failure
    const asked = failure instanceof EstRefused ? (failure.retryAfterMs ?? 0) : 0
    const waitMs = Math.max(asked, retryAfterMs(this.#failures, this.#life, Math.random()))
    this.#tryAtMs = this.#nowMs + waitMs
    const nowMs = this.#clock.monotonicMs()
    if (failure.message === this.#toldFailure.text && nowMs - this.#toldFailure.atMs < SAME_FAILURE_MS) return
    this.#toldFailure = { text: failure.message, atMs: nowMs }
    const what = isDue ? 'Cannot renew the certificate' : 'Cannot fetch the roots of the authority'
    const text = `${what}: ${failure.message}. It is tried again in ${formatDuration(Math.round(waitMs / 1000) * 1000)}. ${failure.remedy}`
    this.#log.warn('renewal-failed', text, { failures: this.#failures })
  }

  async #renew(): Promise<void> {
    const server = this.#server()!
    const before = this.#identity
    const { ca, name, directory } = before
    const headers = rootsHeader(authoritiesOf(this.#identity).roots)
    const bundle = await askBundle(server, headers)
    const keyPem = newKeyPem()
    const chain = await askCertificate(server, { keyPem, name, headers, nowMs: this.#nowMs }, bundle)
    if (this.#isStopped) return
    const newCa = bundleText(ca, chainOf(this.#identity), bundle)
    await replaceTogether(directory, { [KEY_FILE]: keyPem, [CERT_FILE]: pemOf(chain), [CA_FILE]: newCa })
    this.#use(loadIdentity(directory))
    this.#tellRoots(before)
    this.#renewedMs = this.#nowMs
    this.#metrics.add('identityRenewals', 1)
    this.#log.info('identity-renewed', `Renewed: ${describeCertificate(this.#identity.facts)}`, { serial: this.#identity.facts.serial })
  }

  async #fetchRoots(): Promise<void> {
    const before = this.#identity
    const { ca, directory } = before
    const bundle = await askBundle(this.#server()!, rootsHeader(authoritiesOf(this.#identity).roots))
    if (this.#isStopped) return
    const newCa = bundleText(ca, chainOf(this.#identity), bundle)
    if (newCa === ca) return
    const [leaf, ...rest] = chainOf(this.#identity)
    if (!new Authorities(certificatesIn(newCa) ?? [], rest).vouchFor(leaf!)) {
      // The root above our certificate was retired: only a new certificate fits the new bundle.
      this.#renewAtMs = Math.min(this.#renewAtMs, this.#nowMs)
      return
    }
    await replaceTogether(directory, { [CA_FILE]: newCa })
    this.#use(loadIdentity(directory))
    this.#tellRoots(before)
  }

  /** Other roots may come with a new certificate as well as on their own: people wait for this line in both cases. */
  #tellRoots(before: Identity): void {
    const { roots } = authoritiesOf(this.#identity)
    const printsOf = (all: typeof roots): string => all.map(({ fingerprint256 }) => fingerprint256).join()
    if (printsOf(roots) === printsOf(authoritiesOf(before).roots)) return
    const names = roots.map((root) => root.subject.replaceAll('\n', ', '))
    this.#log.info('roots-replaced', `Roots that are trusted: ${names.join('; ')}`, { roots: roots.length })
  }

  #measure(): void {
    const nowMs = this.#nowMs
    this.#metrics.set('identityValidSeconds', Math.max(0, Math.round((this.#life.toMs - nowMs) / 1000)))
    this.#metrics.set('identityAlarmLevel', Math.max(0, ...this.problems().map(({ level }) => level)))
    const { oldestMs } = this.#lists.revocation
    this.#metrics.set('revocationListAgeSeconds', oldestMs === undefined ? 0 : Math.max(0, Math.round((nowMs - oldestMs) / 1000)))
  }

  /** Each problem when it comes or gets worse, and once a day while it lasts. */
  #tellProblems(): void {
    const nowMs = this.#clock.monotonicMs()
    const problems = this.problems()
    const keyOf = (problem: IdentityProblem): string =>
      `${problem.kind} ${problem.level} ${problem.kind.startsWith('list') ? '' : problem.sentence.slice(0, 200).replace(/, in .*/, '')}`
    const againMs = Math.min(TELL_AGAIN_MS, Math.max(SAME_FAILURE_MS, (this.#life.toMs - this.#life.fromMs) / 2))
    const keys = new Set(problems.map(keyOf))
    for (const problem of problems) {
      const told = this.#told.get(keyOf(problem))
      if (told !== undefined && nowMs - told < againMs) continue
      this.#told.set(keyOf(problem), nowMs)
      this.#log.error(`identity-${problem.kind}`, `${problem.sentence}. ${problem.remedy}`, { alarm_level: problem.level })
    }
    for (const key of [...this.#told.keys()]) if (!keys.has(key)) this.#told.delete(key)
  }
}
