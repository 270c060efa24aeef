import * as fs from 'node:fs'
import type { Clock } from '../../base/clock.ts'
import { errnoOf } from '../../base/errors.ts'
import { composeHead } from '../../syslog/compose.ts'
import { readPri } from '../../syslog/priority.ts'
import { BatchBuilder, type PayloadReceiver } from '../batch-builder.ts'
import { LineSplitter } from '../line-splitter.ts'
import type { Source } from '../unix-datagram.ts'
import { type KernelSourceOptions, openKernelLog } from './kmsg-source.ts'

const POLL_MS = 200
const LINE_LIMIT_BYTES = 8192
/** kern.notice, as syslogd has it: FreeBSD's kernel seldom writes a priority. */
const PRI_KERNEL = 5

/** The kernel's messages on FreeBSD: /dev/klog gives each byte once, so there is no place to remember. */
export class KlogSource implements Source {
  readonly name: string
  readonly #fd: number
  readonly #builder: BatchBuilder
  readonly #lines: LineSplitter
  readonly #bytes = Buffer.alloc(65_536)
  readonly #timer: NodeJS.Timeout

  constructor(options: KernelSourceOptions, receiver: PayloadReceiver, clock: Clock) {
    this.name = `kernel ${options.path}`
    this.#fd = openKernelLog(options.path)
    this.#builder = new BatchBuilder(receiver, clock)
    this.#lines = new LineSplitter(LINE_LIMIT_BYTES, (line) => {
      const packed = readPri(line, 0, line.length)
      const pri = packed === -1 ? PRI_KERNEL : packed >>> 3
      const head = composeHead({ pri, timeUs: clock.wallUs(), hostname: options.hostname, program: 'kernel', procid: '', structured: '' })
      this.#builder.add(Buffer.concat([Buffer.from(head), line.subarray(packed === -1 ? 0 : packed & 7)]))
    })
    this.#timer = setInterval(() => this.#read(), POLL_MS)
    this.#read()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#read()
    this.#lines.end()
    this.#builder.flush()
    fs.closeSync(this.#fd)
  }

  #read(): void {
    for (;;) {
      let length: number
      try {
        length = fs.readSync(this.#fd, this.#bytes, 0, this.#bytes.length, null)
      } catch (error) {
        if (errnoOf(error) === 'EAGAIN') return
        throw error
      }
      if (length === 0) return
      this.#lines.push(this.#bytes.subarray(0, length))
    }
  }
}
