import * as fs from 'node:fs'
import { parseAddress } from '../core/base/address.ts'
import { systemClock } from '../core/base/clock.ts'
import { errnoOf, explain, LoghopError } from '../core/base/errors.ts'
import { type Files, nodeFiles } from '../core/base/files.ts'
import { printable } from '../core/base/printable.ts'
import type { ActSession } from './act-session.ts'
import type { Act, NewAct } from './acts.ts'
import { bundleOf } from './chains.ts'
import { AuthorityDirectory, LOCK_FILE } from './directory.ts'
import { enrol, issuedAs, Refusal, refusedName, renew } from './enrol.ts'
import { Rates } from './est-rate.ts'
import { Journal } from './journal.ts'
import { lockWithin } from './lock.ts'
import { DAY_MS } from './policy.ts'
import { authorityProblems, isIssuerDue } from './problems.ts'
import { listsOf, refreshLists } from './revocation.ts'
import { rotateIssuer } from './rotation.ts'
import { serverIdentity } from './server-identity.ts'
import type {
  AuthorityProblem,
  AuthorityService,
  EnrolAnswer,
  EnrolRequest,
  RemoteAddress,
  RenewRequest,
  RevocationListFile,
} from './service.ts'
import { type State, StateBuilder } from './state.ts'

const REFUSAL_QUIET_MS = 60_000
// Causes of refusals that are remembered, so that a stranger cannot fill memory or disk.
const REFUSALS_MAX = 1000
// What others can have written into the journal, which only grows: refusals in all, and what one host says of the roots that it trusts.
const REFUSAL_RATE = { perSecond: 1 / 10, burst: 200 }
const SEEN_RATE = { perSecond: 1 / 600, burst: 20 }
// Ours: a bundle has two roots during a rotation.
const SEEN_ROOTS_MAX = 16
const SEEN_AGAIN_MS = DAY_MS

export interface AuthorityOptions {
  /** Who acts, for the journal: a user's name, or `serve`. */
  readonly by: string
  readonly now?: () => number
  readonly files?: Files
}

function isMissing(file: string): boolean {
  try {
    fs.statSync(file)
    return false
  } catch (error) {
    return errnoOf(error) === 'ENOENT'
  }
}

/** An opened authority: every act under the lock, one after the other; every look at it sees what others have done since. */
export class Authority implements AuthorityService {
  readonly directory: AuthorityDirectory
  readonly #by: string
  readonly #now: () => number
  readonly #builder = new StateBuilder()
  readonly #journal: Journal
  readonly #refusals = new Map<string, number>()
  readonly #refusalRate: Rates
  readonly #seenRate: Rates
  #last: Promise<unknown> = Promise.resolve()
  #trouble: AuthorityProblem | undefined

  /** @throws {LoghopError} PKI_READ when there is no authority, PKI_JOURNAL */
  static open(directory: string, options: AuthorityOptions): Authority {
    const authority = new Authority(directory, options)
    authority.#require()
    return authority
  }

  private constructor(directory: string, { by, now, files = nodeFiles }: AuthorityOptions) {
    this.#by = by
    this.#now = now ?? Date.now
    const clock = now === undefined ? systemClock : { wallUs: () => now() * 1000, monotonicMs: now }
    this.#refusalRate = new Rates(REFUSAL_RATE, clock)
    this.#seenRate = new Rates(SEEN_RATE, clock)
    this.directory = new AuthorityDirectory(directory, files)
    this.#journal = new Journal(
      directory,
      files,
      (act) => this.#builder.apply(act),
      () => {
        this.#builder.reset()
        this.directory.forget()
      },
    )
  }

  #require(): void {
    const { path } = this.directory
    // Another errno, such as that of a directory that this user may not enter, is told of by the read below.
    if (isMissing(this.#journal.file)) {
      const remedy = `Make an authority first: loghop pki init --directory ${path} --name "Example Logs"`
      throw new LoghopError('PKI_READ', `Cannot read ${this.#journal.file}: ENOENT`, remedy)
    }
    this.#journal.read()
    if (this.#builder.state.roots.length > 0) return
    throw new LoghopError(
      'PKI_BROKEN',
      `Cannot use the authority in ${path}: its journal is empty`,
      'Restore the whole directory from its backup',
    )
  }

  /** What the journal says now. It changes with the next look or act. */
  get state(): State {
    this.#journal.read()
    return this.#builder.state
  }

  /** How many acts there have been. */
  get journalLines(): number {
    this.#journal.read()
    return this.#journal.lines
  }

  /** For looking, without the lock. */
  view(): Pick<ActSession, 'state' | 'directory' | 'nowMs'> {
    return { state: this.state, directory: this.directory, nowMs: this.#now() }
  }

  /**
   * One act: takes the lock, reads what others have appended, decides, appends, releases.
   * @throws {LoghopError} PKI_LOCKED, PKI_OWNER, PKI_JOURNAL, PKI_WRITE, and what `work` throws
   */
  act<T>(work: (session: ActSession) => T | Promise<T>): Promise<T> {
    // In the order of the calls; flock(2) is between processes.
    const done = this.#last.then(() => this.#underLock(work))
    this.#last = done.catch(() => undefined)
    return done
  }

  async #underLock<T>(work: (session: ActSession) => T | Promise<T>): Promise<T> {
    this.#requireOwner()
    const lock = await this.#lock()
    try {
      this.#journal.readAndMend()
      const nowMs = this.#now()
      const append = (act: NewAct, by = this.#by): void => this.#journal.append({ at: new Date(nowMs).toISOString(), by, ...act } as Act)
      return await work({ state: this.#builder.state, directory: this.directory, nowMs, append })
    } finally {
      lock.release()
    }
  }

  async #lock(): Promise<{ release(): void }> {
    try {
      return await lockWithin(this.directory.file(LOCK_FILE))
    } catch (error) {
      if (error instanceof LoghopError) throw error
      const sentence = `Cannot open ${this.directory.file(LOCK_FILE)}: ${errnoOf(error) ?? 'unexpected error'}`
      throw new LoghopError('PKI_WRITE', sentence, 'Run as the user that owns the authority', { cause: error })
    }
  }

  /** Files that root makes would keep `pki serve`, which runs as another user, from going on. */
  #requireOwner(): void {
    const owner = fs.statSync(this.directory.path, { throwIfNoEntry: false })?.uid
    if (owner === undefined || process.geteuid === undefined || process.geteuid() === owner) return
    const sentence = `Cannot act on ${this.directory.path}: it belongs to the user with the id ${owner}, and this runs as ${process.geteuid()}`
    throw new LoghopError('PKI_OWNER', sentence, `Run it as the owner: sudo -u '#${owner}' loghop pki ...`)
  }

  async enrol(request: EnrolRequest): Promise<EnrolAnswer> {
    return this.#decide(refusedName(request.name), request.from, (session) => enrol(session, request))
  }

  async renew(request: RenewRequest): Promise<EnrolAnswer> {
    const name = issuedAs(this.state, request.certificate)?.name ?? 'unknown'
    return this.#decide(name, request.from, (session) => renew(session, request))
  }

  #decide(name: string, from: RemoteAddress, decide: (session: ActSession) => Promise<EnrolAnswer>): Promise<EnrolAnswer> {
    return this.act(async (session) => {
      try {
        return await decide(session)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const { status, message: sentence, remedy, retryAfterSeconds } = error
        if (this.#isNewRefusal(status, sentence, session.nowMs)) {
          session.append({ act: 'refuse', name, reason: sentence }, `${name}@${printable(from, 80)}`)
        }
        return { kind: 'refused', status, sentence, remedy, retryAfterSeconds }
      }
    })
  }

  /** One line a minute for the same cause; all wrong secrets are one cause, whatever name they come with. */
  #isNewRefusal(status: number, sentence: string, nowMs: number): boolean {
    const cause = status === 403 || status === 429 ? sentence : String(status)
    const last = this.#refusals.get(cause)
    if (last !== undefined && nowMs - last < REFUSAL_QUIET_MS && nowMs >= last) return false
    if (this.#refusals.size >= REFUSALS_MAX) {
      for (const [known, at] of this.#refusals) if (nowMs - at >= REFUSAL_QUIET_MS) this.#refusals.delete(known)
      if (this.#refusals.size >= REFUSALS_MAX) return false
    }
    if (!this.#refusalRate.take('all')) return false
    this.#refusals.set(cause, nowMs)
    return true
  }

  /** In the order of the calls; a failure is one of `problems`. @returns when it is on disk; it never rejects */
  seen(certificate: Buffer, roots: readonly string[], from: RemoteAddress): Promise<void> {
    return this.#later('keep who trusts which root', ({ state, nowMs, append }) => {
      const issued = issuedAs(state, certificate)
      if (issued === undefined || issued.role === 'authority' || issued.revoked !== undefined) return
      const shown = [...new Set(roots)].filter((root) => /^[0-9a-f]{64}$/.test(root)).slice(0, SEEN_ROOTS_MAX)
      shown.sort()
      const last = state.hosts.get(issued.name)?.seen
      const isSame = last !== undefined && last.serial === issued.serial && last.roots.join() === shown.join()
      if (isSame && nowMs - Date.parse(last.at) < SEEN_AGAIN_MS) return
      if (!this.#seenRate.take(issued.name)) return
      append({ act: 'seen', name: issued.name, serial: issued.serial, roots: shown }, `${issued.name}@${printable(from, 80)}`)
    })
  }

  bundle(): readonly Buffer[] {
    const { state, directory, nowMs } = this.view()
    return bundleOf(state, directory, nowMs).map(({ raw }) => raw)
  }

  revocationLists(): readonly RevocationListFile[] {
    return listsOf(this.view())
  }

  /** Also makes a new issuer when a third of its life is left and the root's key is at hand, not encrypted. */
  async refreshRevocationLists(): Promise<void> {
    await this.act(async (session) => {
      if (isIssuerDue(session) && session.directory.rootKeyState(session.state.roots.at(-1)!.number) === 'plain') {
        await rotateIssuer(session, undefined)
      }
      refreshLists(session)
    })
  }

  serverIdentity(names: readonly string[]): Promise<string> {
    return this.act((session) => serverIdentity(session, names))
  }

  /** Like `seen`. An address that cannot be dialled is a problem, too. */
  recordAddress(address: string): Promise<void> {
    return this.#later("keep the server's address", ({ state, append }) => {
      const parsed = parseAddress(address)
      if (parsed.kind === 'malformed') {
        throw new LoghopError('USAGE', `Cannot keep "${printable(address)}" as the server's address: ${parsed.reason}`, 'Give HOST:PORT')
      }
      if (state.address !== address) append({ act: 'server', address })
    })
  }

  async #later(what: string, work: (session: ActSession) => void): Promise<void> {
    try {
      await this.act(work)
      this.#trouble = undefined
    } catch (error) {
      const remedy = error instanceof LoghopError ? error.remedy : 'Look at the disk and the owner of the directory'
      this.#trouble = { sentence: `Cannot ${what}: ${error instanceof Error ? error.message : explain(error)}`, remedy }
    }
  }

  /** What a person should mend: an issuer or root near its end, a list that is not made anew. */
  problems(nowMs: number = this.#now()): readonly AuthorityProblem[] {
    const trouble = this.#trouble === undefined ? [] : [this.#trouble]
    try {
      return [...trouble, ...authorityProblems({ state: this.state, directory: this.directory, nowMs })]
    } catch (error) {
      if (!(error instanceof LoghopError)) throw error
      return [...trouble, { sentence: error.message, remedy: error.remedy }]
    }
  }
}
