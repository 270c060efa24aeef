import { constants, zstdCompressSync } from 'node:zlib'
import type { Clock } from '../base/clock.ts'
import { errnoOf } from '../base/errors.ts'
import type { Metrics } from '../base/metrics.ts'
import { CODEC_PLAIN, CODEC_ZSTD } from '../spool/batch.ts'
import { BATCH_HEADROOM_BYTES } from '../spool/constants.ts'
import type { Spool } from '../spool/spool.ts'
import { priOf } from '../syslog/priority.ts'
import { formatTimestamp } from '../syslog/timestamp.ts'
import { LOSS_EVENT, type Loss } from './loss.ts'
import { shed, takenSeverity } from './shed.ts'

// Below this a frame of zstd saves little, and a quiet host's single messages should not wait for it.
const COMPRESS_FROM_BYTES = 1024

const LOWEST_SEVERITY = 7

export type Compression = 'none' | 'zstd'

/** Takes payloads of messages that begin at this node. The local socket is never blocked: what cannot be stored is lost and counted. */
export class Intake {
  readonly #spool: Spool
  readonly #origin: string
  readonly #loss: Loss
  readonly #metrics: Metrics
  #compression: Compression

  /** @param origin host name that the identity proves */
  constructor(spool: Spool, origin: string, loss: Loss, metrics: Metrics, compression: Compression) {
    this.#spool = spool
    this.#origin = origin
    this.#loss = loss
    this.#metrics = metrics
    this.#compression = compression
  }

  /**
   * Stores `count` messages that stand at `bytes[start..end]`, each behind its length, with BATCH_HEADROOM_BYTES of room before `start`.
   * `bytes` is free again on return.
   */
  store(bytes: Buffer, start: number, end: number, count: number, receivedUs: number): void {
    this.#metrics.add('messagesReceived', count)
    const severity = takenSeverity(this.#spool.usedBytes + end - start, this.#spool.limitBytes)
    if (severity >= LOWEST_SEVERITY) {
      this.#append(bytes, start, end, count, receivedUs)
      return
    }
    const left = shed(bytes, start, end, severity)
    if (left.kept > 0) this.#append(bytes, start, left.end, left.kept, receivedUs)
    // Afterwards: it logs, and a source that hears it may use the very bytes.
    this.#loss.count('spool-full', count - left.kept)
  }

  /**
   * Stores the line that tells of a loss, also where the spool is full: there are few of them.
   * @returns false when it cannot be written now
   */
  storeLoss(text: string, app: string, hostname: string, clock: Clock): boolean {
    const nowUs = clock.wallUs()
    const message = `<${priOf('syslog', 'err')}>1 ${formatTimestamp(nowUs)} ${hostname} ${app} ${process.pid} ${LOSS_EVENT} - ${text}`
    const bytes = Buffer.alloc(BATCH_HEADROOM_BYTES + 4 + message.length)
    bytes.writeUInt32LE(message.length, BATCH_HEADROOM_BYTES)
    bytes.write(message, BATCH_HEADROOM_BYTES + 4, 'latin1')
    try {
      const batch = { origin: this.#origin, count: 1, receivedUs: nowUs, plainBytes: 4 + message.length, codec: CODEC_PLAIN }
      this.#spool.appendBatch(bytes, BATCH_HEADROOM_BYTES, bytes.length, batch)
    } catch (error) {
      if (errnoOf(error) === undefined) throw error
      return false
    }
    this.#metrics.add('messagesReceived', 1)
    this.#metrics.add('messagesStored', 1)
    return true
  }

  /** Of batches from now on. */
  setCompression(compression: Compression): void {
    this.#compression = compression
  }

  /** Whose messages these are: the host name that the identity proves. */
  get origin(): string {
    return this.#origin
  }

  /** Whether a source that can wait need not. What is left then is for those that cannot. */
  hasRoom(bytes: number): boolean {
    return takenSeverity(this.#spool.usedBytes + bytes, this.#spool.limitBytes) >= LOWEST_SEVERITY
  }

  /**
   * `store` for a source that can wait: all of it or nothing.
   * @param before called with the sequence of the first message, immediately before the messages are written
   * @returns 'stored'; 'full'; or the errno of the failing write, and then nothing was stored
   */
  storeOrWait(bytes: Buffer, start: number, end: number, count: number, receivedUs: number, before: (first: number) => void): string {
    if (!this.hasRoom(end - start)) return 'full'
    try {
      before(this.#spool.had.next(this.#origin, this.#spool.stream))
      this.#write(bytes, start, end, count, receivedUs)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      return errno
    }
    this.#metrics.add('messagesReceived', count)
    this.#metrics.add('messagesStored', count)
    this.#metrics.add('bytesStored', end - start)
    return 'stored'
  }

  #append(bytes: Buffer, start: number, end: number, count: number, receivedUs: number): void {
    try {
      this.#write(bytes, start, end, count, receivedUs)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      this.#loss.count('spool-failed', count, errno)
      return
    }
    this.#metrics.add('messagesStored', count)
    this.#metrics.add('bytesStored', end - start)
  }

  /** @throws the errno of the failing write; nothing is stored then */
  #write(bytes: Buffer, start: number, end: number, count: number, receivedUs: number): void {
    const batch = { origin: this.#origin, count, receivedUs, plainBytes: end - start }
    if (this.#compression === 'zstd' && end - start >= COMPRESS_FROM_BYTES) {
      const packed = zstdCompressSync(bytes.subarray(start, end), { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
      const framed = Buffer.concat([Buffer.alloc(BATCH_HEADROOM_BYTES), packed])
      this.#spool.appendBatch(framed, BATCH_HEADROOM_BYTES, framed.length, { ...batch, codec: CODEC_ZSTD })
    } else this.#spool.appendBatch(bytes, start, end, { ...batch, codec: CODEC_PLAIN })
  }
}
