import * as fs from 'node:fs'
import type { Clock } from '../../base/clock.ts'
import { errnoOf, LoghopError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { bootId } from '../../platform/boot-id.ts'
import { composeHead, element } from '../../syslog/compose.ts'
import { KMSG_RECORD_LIMIT_BYTES, type KmsgRecord, readKmsg, tagOf } from '../../syslog/kmsg.ts'
import type { Loss } from '../loss.ts'
import type { Positions } from '../positions.ts'
import type { Source } from '../unix-datagram.ts'
import { WaitingBatch } from '../waiting-batch.ts'

// Node cannot wait for a device; looking costs a system call. A burst is read in one go.
const POLL_MS = 200
const WAIT_MS = 500
/** A line that the kernel writes in parts is over when no part has come for this long. */
const PART_WAIT_MS = 1000
const PARTS_LIMIT_BYTES = 16_384
const READS_IN_TURN = 2000

interface KmsgPosition {
  readonly boot: string
  /** Of the last record that was taken. */
  readonly sequence: number
}

interface Held {
  readonly record: KmsgRecord
  readonly parts: Buffer[]
  bytes: number
  sequence: number
  sinceMs: number
}

export interface KernelSourceOptions {
  readonly path: string
  readonly hostname: string
}

/** Opens the kernel's log without waiting for what comes. @throws {LoghopError} it cannot be read */
export function openKernelLog(path: string): number {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch (error) {
    throw new LoghopError(
      'KERNEL_LOG',
      `Cannot read the kernel's messages from ${path}: ${(error as Error).message}`,
      'Run the agent as root or with the capability CAP_SYSLOG, or leave kernel out of sources',
      { cause: error },
    )
  }
}

/** The kernel's messages on Linux: each once, by their sequence numbers, which begin anew with each start of the machine. */
export class KmsgSource implements Source {
  readonly name: string
  readonly #fd: number
  readonly #hostname: string
  readonly #loss: Loss
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #log: Log
  readonly #batch: WaitingBatch
  readonly #bytes = Buffer.alloc(KMSG_RECORD_LIMIT_BYTES + 1)
  readonly #boot = bootId() ?? 'unknown'
  /** Of the last record taken into the batch; the next one expected is one more. */
  #sequence: number
  /** Whether it is known what came before. */
  #isFollowing: boolean
  #held: Held | undefined
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(options: KernelSourceOptions, positions: Positions, loss: Loss, metrics: Metrics, log: Log, clock: Clock) {
    this.name = `kernel ${options.path}`
    this.#hostname = options.hostname
    this.#loss = loss
    this.#metrics = metrics
    this.#log = log
    this.#clock = clock
    this.#batch = new WaitingBatch(positions, clock)
    this.#fd = openKernelLog(options.path)
    const position = positions.get(this.name) as KmsgPosition | undefined
    this.#isFollowing = position !== undefined
    this.#sequence = position?.boot === this.#boot ? position.sequence : -1
    this.#look()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    if (this.#batch.count === 0) this.#read()
    this.#release()
    this.#store()
    fs.closeSync(this.#fd)
  }

  #look(): void {
    if (this.#isStopped) return
    let waitMs = POLL_MS
    // What could not be stored is offered again before more is read: the kernel's own buffer is where it waits.
    if (!this.#store()) waitMs = WAIT_MS
    else {
      const isMore = this.#read()
      if (this.#held !== undefined && this.#clock.monotonicMs() - this.#held.sinceMs >= PART_WAIT_MS) this.#release()
      if (!this.#store()) waitMs = WAIT_MS
      else if (isMore) waitMs = 0
    }
    this.#timer = setTimeout(() => this.#look(), waitMs)
  }

  #store(): boolean {
    if (this.#batch.count === 0) return true
    const position: KmsgPosition = { boot: this.#boot, sequence: this.#sequence }
    return this.#batch.store(this.name, position)
  }

  /** @returns whether there is more to read at once */
  #read(): boolean {
    for (let reads = 0; reads < READS_IN_TURN; reads++) {
      // The longest record, in parts, with its head.
      if (!this.#batch.takes(2 * PARTS_LIMIT_BYTES)) return true
      let length: number
      try {
        length = fs.readSync(this.#fd, this.#bytes, 0, this.#bytes.length, null)
      } catch (error) {
        const errno = errnoOf(error)
        if (errno === 'EAGAIN') return false
        // Records were written over: the next read gives the oldest that is left, and its number tells how many.
        if (errno === 'EPIPE') continue
        throw error
      }
      if (length === 0) return false
      const result = readKmsg(this.#bytes.subarray(0, length))
      if (result.kind === 'record') this.#take(result.record)
      else this.#log.warn('kernel-unreadable', `The kernel wrote a record that is none: ${result.reason}`)
    }
    return true
  }

  #take(record: KmsgRecord): void {
    const expected = (this.#held?.sequence ?? this.#sequence) + 1
    if (record.sequence < expected) return
    if (record.sequence > expected && this.#isFollowing) this.#loss.count('kernel-overrun', record.sequence - expected)
    this.#isFollowing = true
    if (record.flag === '+' && this.#held !== undefined && this.#held.bytes + record.text.length <= PARTS_LIMIT_BYTES) {
      this.#held.parts.push(record.text)
      this.#held.bytes += record.text.length
      this.#held.sequence = record.sequence
      this.#held.sinceMs = this.#clock.monotonicMs()
      return
    }
    this.#release()
    const { sequence } = record
    if (record.flag === 'c') {
      this.#held = { record, parts: [record.text], bytes: record.text.length, sequence, sinceMs: this.#clock.monotonicMs() }
    } else this.#add(record, record.text, sequence)
  }

  /** Takes the line that came in parts for whole. */
  #release(): void {
    if (this.#held === undefined) return
    const { record, parts, sequence } = this.#held
    this.#held = undefined
    this.#add(record, Buffer.concat(parts), sequence)
  }

  #add(record: KmsgRecord, text: Buffer, sequence: number): void {
    this.#sequence = sequence
    const { pri, fields } = record
    const tag = pri < 8 ? undefined : tagOf(text.toString('latin1', 0, 80))
    const head = composeHead({
      pri,
      timeUs: this.#wallUs(record.sinceBootUs),
      hostname: this.#hostname,
      program: tag?.program ?? 'kernel',
      procid: tag?.procid ?? '',
      structured: element('kernel@32473', [
        ['sequence', String(record.sequence)],
        ['subsystem', fields.get('SUBSYSTEM')],
        ['device', fields.get('DEVICE')],
      ]),
    })
    this.#batch.add(head, text.subarray(tag?.rest ?? 0))
    if (pri === 13 && tag === undefined) this.#metrics.add('messagesUnparsed', 1)
  }

  /** The kernel's clock is the monotonic one of this process, a little apart. Behind a sleep of the machine older messages show too late. */
  #wallUs(sinceBootUs: number): number {
    const nowUs = Number(process.hrtime.bigint() / 1000n)
    return this.#clock.wallUs() - Math.max(0, nowUs - sinceBootUs)
  }
}
