import type { MessageContext } from '../syslog/message-fields.ts'
import type { LineMaker } from './line-maker.ts'
import { LineWriter, type LineWriterOptions } from './line-writer.ts'
import type { Outlet, OutletEvents } from './outlet.ts'

/** What a pipe and a stream socket differ in. */
export interface LineEnd {
  readonly kind: string
  readonly name: string
  readonly guarantee: string
  readonly retryLimitMs: number
  /** @throws {LoghopError} or the errno: it cannot be opened now, and nothing is open */
  readonly open: () => Omit<LineWriterOptions, 'format'>
  readonly close: (fd: number) => void
}

/** Lines into a descriptor by a path, which is opened anew when its other side is gone. */
export class LineOutlet implements Outlet {
  readonly kind: string
  readonly name: string
  readonly guarantee: string
  readonly retryLimitMs: number
  readonly #end: LineEnd
  readonly #format: LineMaker
  #fd = -1
  #writer: LineWriter | undefined
  #opened = 0

  constructor(end: LineEnd, format: LineMaker) {
    this.kind = end.kind
    this.name = end.name
    this.guarantee = end.guarantee
    this.retryLimitMs = end.retryLimitMs
    this.#end = end
    this.#format = format
  }

  open(events: OutletEvents): void {
    const options = this.#end.open()
    this.#fd = options.fd
    this.#writer = new LineWriter({ ...options, format: this.#format }, events)
    this.#opened++
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

  status(): Record<string, number> {
    return { opened: this.#opened }
  }

  close(): void {
    this.#writer?.stop()
    if (this.#fd !== -1) this.#end.close(this.#fd)
    this.#fd = -1
  }
}
