// One reading of the spool for many destinations: those that stand at the same place are given the same records, read, unpacked and walked once. Each has
// its own cursor, and one that is behind reads for itself. See docs/decisions/0012-shared-reading.md.

import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Attachment } from '../spool/attachment.ts'
import type { RecordHead } from '../spool/batch.ts'
import { readHops } from '../spool/hops.ts'
import type { Position } from '../spool/position.ts'
import type { MessageContext } from '../syslog/message-fields.ts'
import { RecordMessages } from './foreign/record-messages.ts'

const CHUNK_BYTES = 528 << 10
/** Chunks that are remembered for whoever comes next: destinations that keep up are at most this far apart. */
const KEPT_CHUNKS = 3
/** What is unpacked of one chunk at most; a chunk of well packed records is given in parts else. */
const PLAIN_LIMIT_BYTES = 4 << 20

/** What is known of the messages of one record; `sequence` is set for each message by who walks. */
export interface RecordContext extends MessageContext {
  sequence: number
  /** Of the first message that the record stands for, and how many there are. */
  readonly firstSequence: number
  readonly count: number
  /** Where the record ends in the spool. */
  readonly end: Position
}

export interface SharedRecord {
  readonly head: RecordHead
  /** Where it starts and ends in the spool. */
  readonly startOffset: number
  readonly end: Position
  /** Its messages stand here. */
  readonly bytes: Buffer
  /** Start and end of each message that it stands for; empty when the record cannot be read. */
  readonly places: Uint32Array
  readonly context: RecordContext
}

export interface SharedChunk {
  readonly records: readonly SharedRecord[]
}

interface Kept {
  readonly segment: number
  readonly offset: number
  readonly end: Position
  readonly chunk: SharedChunk
}

const THIS_HOST = '127.0.0.1'
const NO_PLACES = new Uint32Array(0)

export class SharedRecords {
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #localHost: string
  readonly #messages = new RecordMessages()
  readonly #input = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #kept: Kept[] = []
  #reads = 0

  /** @param localHost name of this host */
  constructor(localHost: string, log: Log, metrics: Metrics) {
    this.#localHost = localHost
    this.#log = log
    this.#metrics = metrics
  }

  /** Chunks that were read and unpacked, for whoever wonders whether they are shared. */
  get reads(): number {
    return this.#reads
  }

  /**
   * What stands at the follower's place, which moves behind it. The chunk's memory is never written again, so it may be held for as long as needed.
   * @returns undefined when there is nothing yet
   * @throws the errno of the failing read; the place is unchanged
   */
  read(attachment: Attachment): SharedChunk | undefined {
    const { follower } = attachment
    const { segment, offset } = follower.next
    const known = this.#kept.find((one) => one.segment === segment && one.offset === offset)
    if (known !== undefined) {
      const { end } = known
      // What was not known of this follower's count stays unknown.
      follower.seek(follower.next.messages === undefined ? { ...end, messages: undefined } : end)
      return known.chunk
    }
    const before = follower.next
    const chunk = follower.read(this.#input, 0)
    if (chunk === undefined) return undefined
    this.#reads++
    // Mostly far less than fits; and a record that alone did not fit has its own memory already.
    const bytes = chunk.bytes.buffer === this.#input.buffer ? Buffer.from(chunk.bytes.subarray(0, chunk.end)) : chunk.bytes
    const records: SharedRecord[] = []
    let plainBytes = 0
    for (const [index, head] of chunk.heads.entries()) {
      if (records.length > 0 && plainBytes + head.plainBytes > PLAIN_LIMIT_BYTES) break
      plainBytes += head.plainBytes
      records.push(this.#open(bytes, head, chunk.positions[index]!))
    }
    const { end } = records.at(-1)!
    if (records.length < chunk.heads.length) follower.seek(end)
    const shared = { records }
    if (this.#kept.length >= KEPT_CHUNKS) this.#kept.shift()
    this.#kept.push({ segment: before.segment, offset: before.offset, end, chunk: shared })
    return shared
  }

  close(): void {
    this.#kept = []
  }

  #open(bytes: Buffer, head: RecordHead, end: Position): SharedRecord {
    const context = this.contextOf(bytes, head, end)
    const startOffset = end.offset - (head.end - head.start)
    const messages = this.#messages
    const fault = messages.open(bytes, head, 0)
    if (fault !== undefined) {
      this.#metrics.add('recordsQuarantined', 1)
      const text = `${head.take} messages of ${head.origin} cannot be read from the spool and are not delivered: ${fault}`
      this.#log.error('record-unreadable', text, { stream: head.stream, first: head.first + head.skip, messages: head.take })
      return { head, startOffset, end, bytes, places: NO_PLACES, context }
    }
    const places = new Uint32Array(head.take * 2)
    for (let index = 0; index < places.length && messages.next(); index += 2) {
      places[index] = messages.start
      places[index + 1] = messages.end
    }
    const opened = { head, startOffset, end, bytes: messages.bytes, places, context }
    messages.clear()
    return opened
  }

  /** What is known of the messages of a record that `readRecord` accepted. */
  contextOf(bytes: Buffer, head: RecordHead, end: Position): RecordContext {
    // The last hop is this node; before it comes the one that handed the record over.
    const hops = readHops(bytes, head) ?? []
    const via = hops.slice(0, -1).map((hop) => hop.name)
    // What has come by no hop began on this host: that is this host's address, as with other syslog daemons.
    const sourceIp = hops.length > 0 ? (hops[0]!.address ?? '') : head.origin === this.#localHost ? THIS_HOST : ''
    return {
      host: head.origin,
      peer: via.at(-1) ?? head.origin,
      via: via.join(','),
      sourceIp,
      receivedUs: head.storedUs,
      localHost: this.#localHost,
      stream: head.stream,
      sequence: 0,
      firstSequence: head.first + head.skip,
      count: head.take,
      end,
    }
  }
}
