import type { LineFormat } from '../syslog/line-format.ts'
import { type MessageContext, MessageFields } from '../syslog/message-fields.ts'
import { LINE_EXTRA_BYTES, LINE_GROWTH, TextLineFormatter } from '../syslog/text-line.ts'

/** Makes the line of a message, the same bytes whenever it is made again. */
export interface LineMaker {
  /** Makes it, LF at its end, at `bytes[start..end]` of this object, until the next call. */
  make(bytes: Uint8Array, start: number, end: number, context: MessageContext): void
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

const FIRST_BYTES = 64 << 10
/** Far more than any message gives: a template that names the text a thousand times is a mistake. */
const LINE_LIMIT_BYTES = 256 << 20
/** Nothing starts at 0, see TextLineFormatter. */
const INPUT_START = 8

/** The line as it stands in files: control characters escaped, so that it drives no terminal and forges no other line. */
export class FileLines implements LineMaker {
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
export class RawMessages implements LineMaker {
  bytes = new Uint8Array(0)
  start = 0
  end = 0

  make(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes as Uint8Array<ArrayBuffer>
    this.start = start
    this.end = end
  }
}

/** Lines of a format of the configuration: rfc3339, bsd, rfc5424, json or a template. */
export class FormattedLines implements LineMaker {
  readonly start = 0
  end = 0
  bytes: Uint8Array = new Uint8Array(FIRST_BYTES)
  readonly #format: LineFormat
  readonly #fields = new MessageFields()

  constructor(format: LineFormat) {
    this.#format = format
  }

  make(bytes: Uint8Array, start: number, end: number, context: MessageContext): void {
    this.#fields.begin(bytes, start, end)
    for (;;) {
      this.end = this.#format.write(this.#fields, context, this.bytes, 0)
      if (this.end !== -1) return
      if (this.bytes.length > LINE_LIMIT_BYTES)
        throw new RangeError(`Cannot make a line of the format ${this.#format.name}: over ${LINE_LIMIT_BYTES} bytes`)
      this.bytes = new Uint8Array(this.bytes.length * 4)
    }
  }
}
