import * as fs from 'node:fs'
import * as path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../core/base/clock.ts'
import { nodeFiles } from '../core/base/files.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import { type Prepared, prepared } from '../core/daemon/prepared.ts'
import type { PayloadReceiver } from '../core/pipeline/batch-builder.ts'
import { FileSource, type FileSourceOptions } from '../core/pipeline/file/file-source.ts'
import type { Intake } from '../core/pipeline/intake.ts'
import { InternalSource } from '../core/pipeline/internal.ts'
import { doubleFeed, isJournalAtDevLog } from '../core/pipeline/journal/double-feed.ts'
import { JournalSource } from '../core/pipeline/journal/journal-source.ts'
import { KlogSource } from '../core/pipeline/kernel/klog-source.ts'
import { KmsgSource } from '../core/pipeline/kernel/kmsg-source.ts'
import type { Loss } from '../core/pipeline/loss.ts'
import { MarkSource } from '../core/pipeline/mark-source.ts'
import { PassedDatagrams } from '../core/pipeline/passed-datagrams.ts'
import { PipeSource } from '../core/pipeline/pipe-source.ts'
import { Positions } from '../core/pipeline/positions.ts'
import { StdinSource } from '../core/pipeline/stdin-source.ts'
import { type Source, UnixDatagramSource } from '../core/pipeline/unix-datagram.ts'
import { UnixStreamSource } from '../core/pipeline/unix-stream.ts'
import type { Spool } from '../core/spool/spool.ts'
import { priOf } from '../core/syslog/priority.ts'
import { TcpSource, UdpSource } from './network-source.ts'
import { isMainNamespace, isSystemJournal, placeOf, type SourceOption } from './source-options.ts'

const KERNEL_LOG = process.platform === 'freebsd' ? '/dev/klog' : '/dev/kmsg'
const LIMIT_BYTES = 64 << 10

export interface SourcesWorld {
  readonly spoolDirectory: string
  readonly spool: Spool
  readonly intake: Intake
  readonly receiver: PayloadReceiver
  readonly hostname: string
  readonly loss: Loss
  readonly metrics: Metrics
  readonly log: Log
  readonly clock: Clock
  onFailure(error: Error): void
}

const DEV_LOG = '/dev/log'

/** The sources of an agent that names none. */
export function defaultSources(passed?: PassedDatagrams): SourceOption[] {
  if (isJournalAtDevLog(DEV_LOG) && passed?.has(DEV_LOG) !== true) return ['journal', 'internal']
  const socket: SourceOption = { unix: DEV_LOG, limit: LIMIT_BYTES, mode: 0o666 }
  return isReadable(KERNEL_LOG) ? [socket, 'kernel', 'internal'] : [socket, 'internal']
}

function isReadable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** What of the sources would bring messages twice here; undefined when nothing would. */
export function doubleFeedOf(options: readonly SourceOption[], passed?: PassedDatagrams): ReturnType<typeof doubleFeed> {
  const sockets = options.flatMap((source) => {
    if (typeof source === 'string') return []
    return 'unix' in source ? [source.unix] : 'unix-stream' in source ? [source['unix-stream']] : []
  })
  return doubleFeed({
    sockets,
    passed: sockets.filter((socket) => passed?.has(socket)),
    hasJournal: options.some((source) => isSystemJournal(source) && isMainNamespace(source)),
  })
}

/** Sources that keep no place: they may come and go while the agent runs. */
const COMING = ['unix', 'unix-stream', 'tcp', 'udp', 'pipe']

function mayComeAndGo(source: SourceOption): boolean {
  return typeof source === 'object' && COMING.some((kind) => kind in source)
}

/** What a reload has done to the sources. */
export interface SourcesChanged {
  readonly opened: readonly string[]
  readonly closed: readonly string[]
}

/** `, reads udp 127.0.0.1:5140 too, no longer unix /run/app/log`; nothing where nothing has changed. */
export function sourcesText({ opened, closed }: SourcesChanged): string {
  return `${opened.length === 0 ? '' : `, reads ${opened.join(', ')} too`}${closed.length === 0 ? '' : `, no longer ${closed.join(', ')}`}`
}

interface Held {
  readonly option: SourceOption
  readonly source: Source
}

function needsPositions(source: SourceOption): boolean {
  if (typeof source === 'string') return source === 'kernel' || source === 'journal'
  return 'kernel' in source || 'journal' in source || 'file' in source
}

/** The sources of an agent, and how far those that can be read again have been read. */
export class Sources {
  readonly #world: SourcesWorld
  readonly #defaults: readonly SourceOption[]
  #options: readonly SourceOption[]
  #held: Held[] = []
  #isStopped = false
  #stopping: Promise<unknown> = Promise.resolve()
  readonly #passed = PassedDatagrams.ofProcess()
  #positions: Positions | undefined

  constructor(options: readonly SourceOption[] | undefined, world: SourcesWorld) {
    this.#defaults = defaultSources(this.#passed)
    this.#options = options ?? this.#defaults
    this.#world = world
  }

  get names(): string[] {
    return this.#held.map(({ source }) => source.name)
  }

  /**
   * Opens them all. Nothing has been appended to the spool before.
   * @throws {LoghopError} what cannot be opened; `stop` closes what was
   */
  async start(): Promise<void> {
    const twice = doubleFeedOf(this.#options, this.#passed)
    if (twice !== undefined) throw twice
    const { spoolDirectory, spool, intake, log } = this.#world
    // Also where none of today's sources wants them: what they say of unstored messages must not be read once others have their sequences.
    if (this.#options.some(needsPositions) || fs.existsSync(path.join(spoolDirectory, 'positions')))
      this.#positions = new Positions(nodeFiles, spoolDirectory, spool, intake, log)
    for (const option of this.#options) this.#held.push({ option, source: await this.#open(option) })
    for (const socket of this.#passed.closeRest())
      log.warn(
        'socket-unused',
        `A socket was passed to the agent that none of its sources reads: ${socket}. Name it in sources, or disable its socket unit`,
      )
  }

  /** What of these cannot be taken over while running. */
  fixed(options: readonly SourceOption[] | undefined): string[] {
    const next = options ?? this.#defaults
    const rest = (sources: readonly SourceOption[]): SourceOption[] => sources.filter((source) => !mayComeAndGo(source))
    if (!isDeepStrictEqual(rest(this.#options), rest(next))) return [`sources (others than ${COMING.join(', ')})`]
    const places = new Set(this.#without(next).map(({ option }) => placeOf(option)))
    return next
      .filter((option) => !this.#has(option) && places.has(placeOf(option)))
      .map((option) => `the options of the source ${placeOf(option)}`)
  }

  /** Opens what is new in these and changes nothing else. @throws {LoghopError} what cannot be opened */
  async prepare(options: readonly SourceOption[] | undefined): Promise<Prepared<SourcesChanged>> {
    const next = options ?? this.#defaults
    // What is read already has been looked at, with the sockets that were passed then.
    const twice = doubleFeedOf(next.filter((option) => !this.#has(option) || isSystemJournal(option)))
    if (twice !== undefined) throw twice
    const made: Held[] = []
    const close = (): void => {
      for (const { source } of made) this.#stopSoon(source)
    }
    try {
      for (const option of next) if (!this.#has(option)) made.push({ option, source: await this.#open(option) })
    } catch (error) {
      close()
      throw error
    }
    return prepared<SourcesChanged>({
      isOver: () => this.#isStopped,
      nothing: { opened: [], closed: [] },
      undo: close,
      commit: () => {
        const gone = this.#without(next)
        this.#options = next
        this.#held = [...this.#held.filter((held) => !gone.includes(held)), ...made]
        for (const { source } of gone) this.#stopSoon(source)
        return { opened: made.map(({ source }) => source.name), closed: gone.map(({ source }) => source.name) }
      },
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#stopping
    for (const { source } of this.#held) await source.stop()
    await this.#positions?.close()
  }

  #has(option: SourceOption): boolean {
    return this.#held.some((held) => isDeepStrictEqual(held.option, option))
  }

  /** Those that are not among these. */
  #without(options: readonly SourceOption[]): Held[] {
    return this.#held.filter(({ option }) => !options.some((one) => isDeepStrictEqual(one, option)))
  }

  /** What it holds is stored; the end of the agent waits for it. */
  #stopSoon(source: Source): void {
    const stopped = source.stop().catch((error: Error) => this.#world.onFailure(error))
    this.#stopping = Promise.all([this.#stopping, stopped])
  }

  async #open(source: SourceOption): Promise<Source> {
    const { receiver, hostname, metrics, log, clock, intake } = this.#world
    const onFailure = (error: Error): void => this.#world.onFailure(error)
    switch (source) {
      case 'internal':
        return new InternalSource(log, 'loghop-agent', hostname, receiver, clock)
      case 'kernel':
        return this.#openKernel(KERNEL_LOG)
      case 'journal':
        return this.#openJournal({ from: 'boot', fields: [], limit: LIMIT_BYTES })
      case 'stdin':
        return new StdinSource({ hostname, limitBytes: LIMIT_BYTES }, process.stdin, receiver, intake, metrics, clock, () =>
          this.#inputEnded(),
        )
    }
    if ('kernel' in source) return this.#openKernel(source.kernel)
    if ('journal' in source) return this.#openJournal(source.journal)
    if ('file' in source) return new FileSource(fileOptions(source, hostname), this.#positions!, metrics, log, clock, onFailure)
    if ('mark' in source) return new MarkSource(source.mark, hostname, receiver, clock)
    if ('tcp' in source || 'udp' in source) return this.#openNetwork(source)
    const { mode, limit: limitBytes } = source
    if ('pipe' in source) return new PipeSource({ path: source.pipe, mode, limitBytes, hostname }, receiver, metrics, clock, onFailure)
    if ('unix' in source) {
      const passedFd = this.#passed.take(source.unix)
      return new UnixDatagramSource({ path: source.unix, mode, limitBytes, hostname, passedFd }, receiver, metrics, onFailure)
    }
    const stream = new UnixStreamSource({ path: source['unix-stream'], mode, limitBytes, hostname }, receiver, metrics, clock)
    await stream.start()
    return stream
  }

  async #openNetwork(source: Extract<SourceOption, { tcp: unknown } | { udp: unknown }>): Promise<Source> {
    const { hostname } = this.#world
    const world = { ...this.#world, activated: (name: string) => this.#passed.takeNamed(name) }
    const opened =
      'udp' in source
        ? new UdpSource({ binds: source.udp, limitBytes: source.limit, hostname }, world)
        : new TcpSource({ binds: source.tcp, limitBytes: source.limit, hostname }, world)
    await opened.start()
    return opened
  }

  #openKernel(device: string): Source {
    const { receiver, hostname, loss, metrics, log, clock } = this.#world
    if (device === '/dev/klog') return new KlogSource({ path: device, hostname }, receiver, clock)
    return new KmsgSource({ path: device, hostname }, this.#positions!, loss, metrics, log, clock)
  }

  #openJournal(options: Extract<SourceOption, { journal: unknown }>['journal']): Source {
    const { hostname, metrics, log, clock } = this.#world
    const { namespace, directory, from, fields, limit } = options
    return new JournalSource({ namespace, directory, from, fields, limitBytes: limit, hostname }, this.#positions!, metrics, log, clock)
  }

  /** With nothing else to wait for, the agent ends in order, as by SIGTERM. */
  #inputEnded(): void {
    const isLast = this.#options.every((source) => source === 'stdin' || source === 'internal')
    this.#world.log.info('input-ended', `Standard input has ended${isLast ? ', and there is no other source' : ''}`)
    if (isLast) process.kill(process.pid, 'SIGTERM')
  }
}

function fileOptions(source: Extract<SourceOption, { file: string }>, hostname: string): FileSourceOptions {
  const { file, facility, level, program, encoding, from, multi_line: lines, limit } = source
  const multiLine = typeof lines === 'string' ? { kind: lines } : { kind: 'prefix' as const, prefix: Buffer.from(lines.prefix) }
  return {
    pattern: file,
    pri: priOf(facility, level),
    program,
    encoding,
    isFromEnd: from === 'end',
    rules: { limitBytes: limit, multiLine },
    hostname,
  }
}
