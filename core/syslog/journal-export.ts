// The Journal Export Format, in which bytes of any kind survive. Pure. https://systemd.io/JOURNAL_EXPORT_FORMATS

import { EQUALS, LF } from './ascii.ts'

const NAME_LIMIT_BYTES = 64
// Ours: journald's own limit for a field is below it, so a longer one means that we have lost the thread.
const SKIP_LIMIT_BYTES = 2n ** 40n

export interface JournalField {
  readonly bytes: Buffer
  /** The field was longer. */
  readonly isCut: boolean
}

/** The fields that were asked for; of a name that comes more than once the first. */
export type JournalEntry = ReadonlyMap<string, JournalField>

export type JournalResult =
  | { readonly kind: 'entry'; readonly entry: JournalEntry }
  | { readonly kind: 'need-more' }
  | { readonly kind: 'malformed'; readonly reason: string }

type State = 'name' | 'text' | 'length' | 'data' | 'end'

/** Reads entries out of pieces. Holds one piece, and of one entry the fields that were asked for, each up to its limit. */
export class JournalExportDecoder {
  readonly #limits: ReadonlyMap<string, number>
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  #state: State = 'name'
  readonly #small = Buffer.alloc(NAME_LIMIT_BYTES)
  #smallBytes = 0
  #name = ''
  #left = 0n
  #parts: Buffer[] = []
  #partBytes = 0
  #isCut = false
  #entry = new Map<string, JournalField>()

  /** @param limits bytes of each field that is asked for */
  constructor(limits: ReadonlyMap<string, number>) {
    this.#limits = limits
  }

  /** The next piece; `next` has said need-more. */
  push(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  next(): JournalResult {
    while (this.#at < this.#chunk.length) {
      switch (this.#state) {
        case 'name': {
          const byte = this.#chunk[this.#at++]!
          if (byte === LF && this.#smallBytes === 0) {
            if (this.#entry.size === 0) continue
            const entry = this.#entry
            this.#entry = new Map()
            return { kind: 'entry', entry }
          }
          if (byte === LF || byte === EQUALS) {
            if (this.#smallBytes === 0) return { kind: 'malformed', reason: 'a field without a name' }
            this.#name = this.#small.toString('latin1', 0, this.#smallBytes)
            this.#smallBytes = 0
            this.#state = byte === LF ? 'length' : 'text'
          } else {
            if (this.#smallBytes === NAME_LIMIT_BYTES) return { kind: 'malformed', reason: `a name of over ${NAME_LIMIT_BYTES} bytes` }
            this.#small[this.#smallBytes++] = byte
          }
          break
        }
        case 'text': {
          const lf = this.#chunk.indexOf(LF, this.#at)
          this.#keep(lf === -1 ? this.#chunk.length : lf)
          if (lf === -1) return { kind: 'need-more' }
          this.#at = lf + 1
          this.#finish()
          break
        }
        case 'length': {
          this.#small[this.#smallBytes++] = this.#chunk[this.#at++]!
          if (this.#smallBytes < 8) continue
          this.#smallBytes = 0
          this.#left = this.#small.readBigUInt64LE(0)
          if (this.#left > SKIP_LIMIT_BYTES) return { kind: 'malformed', reason: `a field of ${this.#left} bytes` }
          this.#state = this.#left === 0n ? 'end' : 'data'
          break
        }
        case 'data': {
          const there = BigInt(this.#chunk.length - this.#at)
          const taken = Number(this.#left < there ? this.#left : there)
          const end = this.#at + taken
          this.#keep(end)
          this.#at = end
          this.#left -= BigInt(taken)
          if (this.#left === 0n) this.#state = 'end'
          break
        }
        case 'end':
          if (this.#chunk[this.#at++] !== LF) return { kind: 'malformed', reason: 'no line feed behind a field' }
          this.#finish()
          break
        default:
          return this.#state satisfies never
      }
    }
    return { kind: 'need-more' }
  }

  #keep(end: number): void {
    const limitBytes = this.#limits.get(this.#name)
    if (limitBytes === undefined || this.#entry.has(this.#name)) return
    const room = limitBytes - this.#partBytes
    if (end - this.#at > room) this.#isCut = true
    const part = this.#chunk.subarray(this.#at, Math.min(end, this.#at + room))
    if (part.length === 0) return
    // A copy: the piece may be its giver's again.
    this.#parts.push(Buffer.from(part))
    this.#partBytes += part.length
  }

  #finish(): void {
    if (this.#limits.has(this.#name) && !this.#entry.has(this.#name)) {
      const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
      this.#entry.set(this.#name, { bytes, isCut: this.#isCut })
    }
    this.#parts = []
    this.#partBytes = 0
    this.#isCut = false
    this.#state = 'name'
  }
}
