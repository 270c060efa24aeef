import { GROWTH_LIMIT_BYTES, LocalCompleter, SCRATCH_BYTES } from '../syslog/local.ts'
import type { BatchBuilder } from './batch-builder.ts'

/** LocalCompleter for sources of the main thread, where a message comes in a buffer of its own. */
export class MessageCompleter {
  readonly #memory: Buffer
  readonly #completer: LocalCompleter
  readonly #limitBytes: number

  constructor(hostname: string, limitBytes: number) {
    this.#limitBytes = limitBytes
    this.#memory = Buffer.from(new ArrayBuffer(SCRATCH_BYTES + 2 * limitBytes + GROWTH_LIMIT_BYTES))
    this.#completer = new LocalCompleter(this.#memory, 0, hostname)
  }

  takeUnparsed(): number {
    return this.#completer.takeUnparsed()
  }

  /** Completes one message of at most the limit (more is cut off) and adds it. */
  complete(message: Uint8Array, receivedUs: number, pid: number, uid: number, builder: Pick<BatchBuilder, 'add'>): void {
    const length = Math.min(message.length, this.#limitBytes)
    this.#memory.set(message.subarray(0, length), SCRATCH_BYTES)
    const out = SCRATCH_BYTES + this.#limitBytes
    const end = this.#completer.complete(
      SCRATCH_BYTES,
      SCRATCH_BYTES + length,
      out,
      Math.floor(receivedUs / 1_000_000),
      receivedUs % 1_000_000,
      pid,
      uid,
    )
    builder.add(this.#memory.subarray(out, end))
  }
}
