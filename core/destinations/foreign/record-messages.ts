import { zstdDecompressSync } from 'node:zlib'
import { CODEC_PLAIN, CODEC_ZSTD, type RecordHead } from '../../spool/batch.ts'
import { payloadFault } from '../../spool/payload.ts'

const NOTHING: Buffer = Buffer.alloc(0)

/** Walks the messages of one record; without an object for each, since there are hundreds of thousands a second. */
export class RecordMessages {
  #bytes = NOTHING
  #at = 0
  #left = 0
  #start = 0

  /** The message that `next` went to stands at `bytes[start..end]`. */
  get bytes(): Buffer {
    return this.#bytes
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#at
  }

  /** Messages that `next` has not gone to. */
  get left(): number {
    return this.#left
  }

  /**
   * Goes to the start of a record's window, or `done` messages behind it.
   * @returns what is wrong with the payload, if anything; there is nothing to walk then
   */
  open(bytes: Buffer, head: RecordHead, done: number): string | undefined {
    this.clear()
    let plain = head
    let source = bytes
    if (head.codec === CODEC_ZSTD) {
      try {
        source = zstdDecompressSync(bytes.subarray(head.payloadStart, head.end), { maxOutputLength: head.plainBytes })
      } catch {
        return 'payload cannot be decompressed to its length'
      }
      plain = { ...head, codec: CODEC_PLAIN, payloadStart: 0, end: source.length }
    }
    const fault = payloadFault(source, plain)
    if (fault !== undefined) return fault
    this.#bytes = source
    this.#at = plain.payloadStart
    this.#left = head.skip + head.take
    for (let passed = 0; passed < head.skip + done; passed++) this.next()
    return undefined
  }

  next(): boolean {
    if (this.#left === 0) return false
    this.#left--
    this.#start = this.#at + 4
    this.#at = this.#start + this.#bytes.readUInt32LE(this.#at)
    return true
  }

  clear(): void {
    this.#bytes = NOTHING
    this.#left = 0
  }
}
