import * as fs from 'node:fs'
import { errnoOf, LoghopError } from '../base/errors.ts'
import { unreadInPipe } from '../platform/descriptors.ts'
import type { MessageContext } from '../syslog/message-fields.ts'
import type { LineMaker } from './line-maker.ts'
import { LineWriter } from './line-writer.ts'
import type { Outlet, OutletEvents } from './outlet.ts'

const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants

/** A named pipe. Without a reader nothing is written and everything waits in the spool. */
export class PipeOutlet implements Outlet {
  readonly kind = 'pipe'
  readonly name: string
  readonly guarantee = 'at least once: what a reader had not read when it went comes again'
  readonly retryLimitMs = 1000
  readonly #format: LineMaker
  #fd = -1
  #writer: LineWriter | undefined

  constructor(path: string, format: LineMaker) {
    this.name = path
    this.#format = format
  }

  open(events: OutletEvents): void {
    try {
      // Without a reader this fails at once instead of waiting for one.
      this.#fd = fs.openSync(this.name, O_WRONLY | O_NONBLOCK | O_NOCTTY)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENXIO') throw new LoghopError('PIPE', `Nobody reads the pipe ${this.name}`, 'Start its reader')
      if (errno === 'ENOENT') throw new LoghopError('PIPE', `There is no pipe ${this.name}`, `Make it: mkfifo -m 0640 ${this.name}`)
      throw error
    }
    if (!fs.fstatSync(this.#fd).isFIFO()) {
      this.close()
      throw new LoghopError('PIPE', `${this.name} is no named pipe`, 'Remove what stands there and make the pipe: mkfifo')
    }
    this.#writer = new LineWriter({ fd: this.#fd, format: this.#format, unread: unreadInPipe, settleMs: 0 }, events)
  }

  add(bytes: Uint8Array, start: number, end: number, context: MessageContext): boolean {
    return this.#writer!.add(bytes, start, end, context)
  }

  flush(): void {
    this.#writer!.flush()
  }

  done(): number {
    return this.#writer!.done()
  }

  close(): void {
    this.#writer?.stop()
    if (this.#fd !== -1) fs.closeSync(this.#fd)
    this.#fd = -1
  }
}
