import { GROWTH_LIMIT_BYTES, LocalCompleter, SCRATCH_BYTES } from '../../core/syslog/local.ts'
import { LINE_EXTRA_BYTES, LINE_GROWTH, TextLineFormatter } from '../../core/syslog/text-line.ts'

const ROOM = 1 << 16

/** A completer whose memory is told apart from what it may write. */
export class Completer {
  readonly #memory = Buffer.from(new ArrayBuffer(SCRATCH_BYTES + 2 * ROOM + GROWTH_LIMIT_BYTES))
  readonly #completer: LocalCompleter

  constructor(hostname: string) {
    this.#completer = new LocalCompleter(this.#memory, 0, hostname)
  }

  takeUnparsed(): number {
    return this.#completer.takeUnparsed()
  }

  complete(input: Buffer, timeUs: number, pid: number, uid: number): Buffer {
    const start = SCRATCH_BYTES
    const out = SCRATCH_BYTES + ROOM
    this.#memory.fill(0xee, start)
    input.copy(this.#memory, start)
    const end = this.#completer.complete(start, start + input.length, out, Math.floor(timeUs / 1e6), timeUs % 1e6, pid, uid)
    if (end > out + input.length + GROWTH_LIMIT_BYTES) throw new Error(`${end - out} bytes of ${input.length}`)
    for (let at = end; at < out + input.length + GROWTH_LIMIT_BYTES && at < this.#memory.length; at++)
      if (this.#memory[at] !== 0xee) throw new Error(`wrote behind its end: ${at - end}`)
    return Buffer.from(this.#memory.subarray(out, end))
  }
}

/** The line of a message that stands at `8 + shift` of a memory full of `filler`. */
export function lineOf(message: Buffer, origin: string, shift = 0, filler = 0xee): Buffer {
  const start = 8 + shift
  const end = start + message.length
  const limit = end + message.length * LINE_GROWTH + LINE_EXTRA_BYTES
  const memory = new Uint8Array(new ArrayBuffer(Math.ceil((limit + 8) / 4) * 4)).fill(filler)
  memory.set(message, start)
  const formatter = new TextLineFormatter(memory)
  formatter.setOrigin(origin)
  formatter.newInput(end)
  const lineEnd = formatter.format(start, end, end)
  if (lineEnd > limit) throw new Error(`line of ${lineEnd - end} bytes for a message of ${message.length}`)
  return Buffer.from(memory.subarray(end, lineEnd))
}
