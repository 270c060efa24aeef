import { FOREIGN_GROWTH_LIMIT_BYTES, FOREIGN_SCRATCH_BYTES, ForeignCompleter, type ForeignOptions } from '../../core/syslog/foreign.ts'
import { RECEIVED_S, RECEIVED_US, SPARE_HOST } from './foreign-vectors.ts'

const ROOM = 1 << 14

export interface Completed {
  readonly output: Buffer
  readonly form: string
  readonly isParsed: boolean
  readonly hasHost: boolean
  readonly host: string
}

/** A foreign completer whose memory is told apart from what it may read and write. */
export class Foreign {
  readonly #memory = Buffer.from(new ArrayBuffer(FOREIGN_SCRATCH_BYTES + 2 * ROOM + FOREIGN_GROWTH_LIMIT_BYTES))
  readonly completer: ForeignCompleter

  constructor(options: Partial<ForeignOptions> = {}, spareHost = SPARE_HOST) {
    this.completer = new ForeignCompleter(this.#memory, 0, { minutesAt: () => 0, isTrailerFraming: true, ...options })
    this.completer.setSpareHost(spareHost)
  }

  /** @param filler what stands behind the input in the memory: it may have no part in the output */
  complete(input: Buffer, second = RECEIVED_S, micros = RECEIVED_US, filler = 0xee): Completed {
    const start = FOREIGN_SCRATCH_BYTES
    const out = start + ROOM
    const limit = out + input.length + FOREIGN_GROWTH_LIMIT_BYTES
    this.#memory.fill(filler, start, out)
    this.#memory.fill(0xee, out, limit)
    input.copy(this.#memory, start)
    const { completer } = this
    const end = completer.complete(start, start + input.length, out, second, micros)
    if (end < out || end > limit) throw new Error(`${end - out} bytes of ${input.length}`)
    for (let at = end; at < limit; at++) if (this.#memory[at] !== 0xee) throw new Error(`wrote behind its end: ${at - end}`)
    if (!input.equals(this.#memory.subarray(start, start + input.length))) throw new Error('wrote into its input')
    const output = Buffer.from(this.#memory.subarray(out, end))
    const host = output.toString('latin1', completer.hostStart - out, completer.hostEnd - out)
    return { output, form: completer.form, isParsed: completer.isParsed, hasHost: completer.hasHost, host }
  }
}
