import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import type { Readable } from 'node:stream'
import { Backoff } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { LoghopError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { printable } from '../../base/printable.ts'
import { type JournalEntry, JournalExportDecoder } from '../../syslog/journal-export.ts'
import type { Positions } from '../positions.ts'
import type { Source } from '../unix-datagram.ts'
import { WaitingBatch } from '../waiting-batch.ts'
import { CURSOR_FIELD, entryHead, fieldText, JOURNAL_FIELDS, TIME_FIELD } from './entry-message.ts'
import { ownEntries } from './own-entries.ts'

const PROGRAM = 'journalctl'
const RESTART_FIRST_MS = 250
const RESTART_LIMIT_MS = 60_000
const WAIT_MS = 500
const TROUBLE_LIMIT = 500
/** Of every field but MESSAGE. */
const FIELD_LIMIT_BYTES = 4096

export interface JournalSourceOptions {
  readonly namespace: string | undefined
  /** Read the journal files in this directory instead of the system's. */
  readonly directory: string | undefined
  /** Where to begin when there is no cursor yet. */
  readonly from: 'boot' | 'beginning' | 'end'
  readonly fields: readonly string[]
  readonly limitBytes: number
  readonly hostname: string
}

type Child = ChildProcessByStdio<null, Readable, Readable>

/** @throws {LoghopError} there is no journalctl */
export function requireJournalctl(): void {
  const done = spawnSync(PROGRAM, ['--version'], { stdio: 'ignore' })
  if (done.error === undefined) return
  throw new LoghopError(
    'JOURNAL',
    `Cannot read the journal: ${PROGRAM} cannot be run: ${done.error.message}`,
    'Install systemd with its journal, or read the local socket instead: unix: /dev/log',
    { cause: done.error },
  )
}

/** The journal of systemd, through a journalctl that follows it. Each entry once: the cursor of the last one is kept in step with the spool. */
export class JournalSource implements Source {
  readonly name: string
  readonly #options: JournalSourceOptions
  readonly #metrics: Metrics
  readonly #log: Log
  readonly #clock: Clock
  readonly #batch: WaitingBatch
  readonly #limits: ReadonlyMap<string, number>
  readonly #isOwn = ownEntries()
  readonly #backoff = new Backoff(RESTART_FIRST_MS, RESTART_LIMIT_MS)
  #decoder: JournalExportDecoder
  #child: Child | undefined
  #ended: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #cursor: string | undefined
  /** Cursor of the last entry that was taken and is not stored yet. */
  #pending: string | undefined
  /** Of the first entry that a new child brings: the one that the cursor names, or the last one before the start. */
  #isFirst = true
  #isStopped = false

  /** @throws {LoghopError} there is no journalctl */
  constructor(options: JournalSourceOptions, positions: Positions, metrics: Metrics, log: Log, clock: Clock) {
    requireJournalctl()
    const { namespace, directory } = options
    this.name = ['journal', namespace, directory].filter((part) => part !== undefined).join(' ')
    this.#options = options
    this.#metrics = metrics
    this.#log = log
    this.#clock = clock
    this.#batch = new WaitingBatch(positions, clock)
    const names = [...JOURNAL_FIELDS, CURSOR_FIELD, TIME_FIELD, ...options.fields]
    this.#limits = new Map([...names.map((name) => [name, FIELD_LIMIT_BYTES] as const), ['MESSAGE', options.limitBytes]])
    this.#decoder = this.#newDecoder()
    const cursor = positions.get(this.name)
    if (typeof cursor === 'string') this.#cursor = cursor
    this.#start()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#child?.kill('SIGTERM')
    await this.#ended
  }

  #newDecoder(): JournalExportDecoder {
    return new JournalExportDecoder(this.#limits)
  }

  #arguments(): string[] {
    const { namespace, directory, from } = this.#options
    const args = ['--output=export', '--follow', '--quiet', '--no-pager', `--output-fields=${[...this.#limits.keys()].join(',')}`]
    if (namespace !== undefined) args.push(`--namespace=${namespace}`)
    if (directory !== undefined) args.push(`--directory=${directory}`)
    // Not --after-cursor: where the entry is gone, that passes over the one that is nearest to it.
    if (this.#cursor !== undefined) return [...args, '--lines=all', `--cursor=${this.#cursor}`]
    if (from === 'end') return [...args, '--lines=1']
    return from === 'boot' ? [...args, '--lines=all', '--boot'] : [...args, '--lines=all']
  }

  #start(): void {
    const child = spawn(PROGRAM, this.#arguments(), { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } })
    this.#child = child
    this.#decoder = this.#newDecoder()
    this.#batch.clear()
    this.#pending = undefined
    this.#isFirst = this.#cursor !== undefined || this.#options.from === 'end'
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-TROUBLE_LIMIT)
    })
    child.stdout.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk)
      this.#drain(child)
    })
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        said = error.message
        resolve()
      })
      // What it had written is read again behind the cursor.
      child.once('exit', () => child.stdout.destroy())
      child.once('close', () => resolve())
    })
    void this.#ended.then(() => this.#onEnd(child, said))
  }

  #onEnd(child: Child, said: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    clearTimeout(this.#timer)
    if (this.#isStopped) return
    const how = child.signalCode === null ? `with exit code ${child.exitCode}` : `by ${child.signalCode}`
    this.#log.warn(
      'journal-ended',
      `${PROGRAM} ended ${how}${said === '' ? '' : `: ${printable(said.trim(), TROUBLE_LIMIT)}`}. It is started again behind the last entry that was stored`,
    )
    this.#timer = setTimeout(() => this.#start(), this.#backoff.next())
  }

  /** Takes what the decoder holds; while the spool has no room the child waits, and the rest stays in the journal. */
  #drain(child: Child): void {
    if (this.#child !== child) return
    for (;;) {
      const result = this.#decoder.next()
      if (result.kind === 'need-more') break
      if (result.kind === 'malformed') {
        this.#log.error('journal-malformed', `${PROGRAM} wrote what is no entry: ${result.reason}. It is started again`)
        child.stdout.removeAllListeners('data').resume()
        child.kill('SIGKILL')
        return
      }
      this.#take(result.entry)
      // One entry is at most its fields long, so the batch is over its size by one of them at the most.
      if (!this.#batch.takes(0) && !this.#store()) {
        this.#wait(child)
        return
      }
    }
    if (!this.#store()) this.#wait(child)
  }

  #wait(child: Child): void {
    child.stdout.pause()
    this.#timer = setTimeout(() => {
      if (this.#child !== child || this.#isStopped) return
      if (this.#store()) {
        child.stdout.resume()
        this.#drain(child)
      } else this.#wait(child)
    }, WAIT_MS)
  }

  #store(): boolean {
    if (this.#pending === undefined) return true
    if (!this.#batch.store(this.name, this.#pending)) return false
    this.#cursor = this.#pending
    this.#pending = undefined
    this.#backoff.reset()
    return true
  }

  #take(entry: JournalEntry): void {
    const cursor = fieldText(entry, CURSOR_FIELD)
    if (cursor === undefined) return
    if (this.#isFirst) {
      this.#isFirst = false
      if (this.#cursor === undefined || cursor === this.#cursor) {
        this.#pending = cursor
        return
      }
      this.#log.warn(
        'journal-gap',
        'The journal no longer has the entry that was read last: it goes on with the one nearest to it, and what lay between may be lost. Give the journal more room (SystemMaxUse in journald.conf)',
      )
    }
    this.#pending = cursor
    if (this.#isOwn(entry)) return
    const message = entry.get('MESSAGE')
    if (message?.isCut) this.#metrics.add('messagesCut', 1)
    const { hostname, fields } = this.#options
    this.#batch.add(entryHead(entry, hostname, fields, this.#clock.wallUs()), message?.bytes ?? Buffer.alloc(0))
  }
}
