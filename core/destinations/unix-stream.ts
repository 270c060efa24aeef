import { closeDescriptor, connectUnix, SOCK_STREAM, unreadByPeer } from '../platform/descriptors.ts'
import type { MessageContext } from '../syslog/message-fields.ts'
import type { LineMaker } from './line-maker.ts'
import { LineWriter } from './line-writer.ts'
import type { Outlet, OutletEvents } from './outlet.ts'

/** Lines into a local stream socket. */
export class UnixStreamOutlet implements Outlet {
  readonly kind = 'unix-stream'
  readonly name: string
  readonly guarantee = 'at least once: what the receiver had not read when it went comes again'
  readonly retryLimitMs = 5000
  readonly #format: LineMaker
  #fd = -1
  #writer: LineWriter | undefined

  constructor(path: string, format: LineMaker) {
    this.name = path
    this.#format = format
  }

  open(events: OutletEvents): void {
    this.#fd = connectUnix(this.name, SOCK_STREAM)
    this.#writer = new LineWriter({ fd: this.#fd, format: this.#format, unread: unreadByPeer, settleMs: 0 }, events)
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
    if (this.#fd !== -1) closeDescriptor(this.#fd)
    this.#fd = -1
  }
}
