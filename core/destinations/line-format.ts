import type { MessageContext } from '../syslog/message-fields.ts'
import { LINE_EXTRA_BYTES, LINE_GROWTH, TextLineFormatter } from '../syslog/text-line.ts'

/** Makes the line of a message, the same bytes whenever it is made again. */
export interface LineFormat {
  /** Makes it, LF at its end, at `bytes[start..end]` of this object, until the next call. */
  make(bytes: Uint8Array, start: number, end: number, context: MessageContext): void
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

const FIRST_BYTES = 64 << 10
/** Nothing starts at 0, see TextLineFormatter. */
const INPUT_START = 8

/** The line as it stands in files: control characters escaped, so that it drives no terminal and forges no other line. */
export class FileLineFormat implements LineFormat {
  #memory = new Uint8Array(new ArrayBuffer(FIRST_BYTES))
  #formatter = new TextLineFormatter(this.#memory)
  #start = 0
  #end = 0

  get bytes(): Uint8Array {
    return this.#memory
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

  make(bytes: Uint8Array, start: number, end: number, context: MessageContext): void {
    const length = end - start
    const wanted = INPUT_START + length + length * LINE_GROWTH + LINE_EXTRA_BYTES
    if (wanted > this.#memory.length) {
      this.#memory = new Uint8Array(new ArrayBuffer(Math.ceil(wanted / 4) * 4))
      this.#formatter = new TextLineFormatter(this.#memory)
    }
    this.#memory.set(bytes.subarray(start, end), INPUT_START)
    this.#start = INPUT_START + length
    this.#formatter.setOrigin(context.host)
    this.#formatter.newInput(this.#start)
    this.#end = this.#formatter.format(INPUT_START, this.#start, this.#start)
  }
}

/** The message as it is, without a line feed: what a syslog daemon takes in a datagram. */
export class RawFormat implements LineFormat {
  bytes = new Uint8Array(0)
  start = 0
  end = 0

  make(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes as Uint8Array<ArrayBuffer>
    this.start = start
    this.end = end
  }
}
