import { crc32 } from 'node:zlib'
import { BATCH_HEADER_BYTES, CRC_SEED, ENVELOPE_BYTES, ENVELOPE_LIMIT_BYTES, PAYLOAD_LIMIT_BYTES, RECORD_LIMIT_BYTES } from './constants.ts'
import { HOPS_WITH_ADDRESSES, type Hop, hopsBytes, hopsForm, writeHops } from './hops.ts'

const RECORD_MAGIC = 0x3152484c // LHR1
const BATCH_MAGIC = 0x3142484c // LHB1
const ORIGIN_LIMIT_BYTES = 253
/** zstd adds three bytes for each 128 KiB that it cannot pack, and a frame's head. */
const PACKED_SLACK_BYTES = 1024

export const CODEC_PLAIN = 0
export const CODEC_ZSTD = 1

/** Where the parts of one record stand, as offsets into the bytes it was read from. */
export interface RecordHead {
  readonly start: number
  readonly end: number
  readonly batchStart: number
  readonly payloadStart: number
  readonly skip: number
  readonly take: number
  readonly storedUs: number
  readonly codec: number
  readonly origin: string
  readonly stream: string
  /** Sequence of the batch's first message; this record stands for `first + skip` to `first + skip + take - 1`. */
  readonly first: number
  readonly count: number
  readonly plainBytes: number
  readonly receivedUs: number
}

export type RecordResult =
  | { readonly kind: 'record'; readonly head: RecordHead }
  | { readonly kind: 'need-more'; readonly bytes: number }
  | { readonly kind: 'malformed'; readonly reason: string }

function malformed(reason: string): RecordResult {
  return { kind: 'malformed', reason }
}

/**
 * Reads the head of the record at `bytes[at..end]` and checks both checksums and every length; copies no payload.
 * `need-more` tells how many bytes the record takes in all (or the least that is known).
 * @param isOurs this process has written these very bytes: the payload's checksum, a pass over all of it, is not computed again
 * @see FORMAT.md
 */
export function readRecord(bytes: Buffer, at: number, end: number, isOurs = false): RecordResult {
  if (end - at < ENVELOPE_BYTES) return { kind: 'need-more', bytes: ENVELOPE_BYTES }
  if (bytes.readUInt32LE(at) !== RECORD_MAGIC) return malformed('no record starts here')
  const recordBytes = bytes.readUInt32LE(at + 8)
  const envelopeBytes = bytes.readUInt16LE(at + 12)
  if (recordBytes > RECORD_LIMIT_BYTES) return malformed(`record of ${recordBytes} bytes is over ${RECORD_LIMIT_BYTES}`)
  if (envelopeBytes < ENVELOPE_BYTES || envelopeBytes > ENVELOPE_LIMIT_BYTES || recordBytes < envelopeBytes + BATCH_HEADER_BYTES + 1)
    return malformed('lengths do not add up')
  if (end - at < recordBytes) return { kind: 'need-more', bytes: recordBytes }
  const batchStart = at + envelopeBytes
  if (crc32(bytes.subarray(at + 8, batchStart), CRC_SEED) !== bytes.readUInt32LE(at + 4)) return malformed('checksum of the envelope')
  if (bytes[at + 15]! > HOPS_WITH_ADDRESSES) return malformed(`hops of the form ${bytes[at + 15]} are not known`)
  if (bytes.readUInt32LE(batchStart) !== BATCH_MAGIC) return malformed('no batch behind the envelope')
  if (bytes.readUInt32LE(batchStart + 8) !== recordBytes - envelopeBytes) return malformed('lengths of record and batch differ')
  if (!isOurs && crc32(bytes.subarray(batchStart + 8, at + recordBytes), CRC_SEED) !== bytes.readUInt32LE(batchStart + 4)) {
    return malformed('checksum of the batch')
  }
  const originBytes = bytes[batchStart + 15]!
  const payloadStart = batchStart + bytes.readUInt16LE(batchStart + 12)
  const skip = bytes.readUInt32LE(at + 16)
  const take = bytes.readUInt32LE(at + 20)
  const first = Number(bytes.readBigUInt64LE(batchStart + 32))
  const count = bytes.readUInt32LE(batchStart + 40)
  const plainBytes = bytes.readUInt32LE(batchStart + 44)
  const codec = bytes[batchStart + 14]!
  const storedUs = Number(bytes.readBigUInt64LE(at + 24))
  const receivedUs = Number(bytes.readBigUInt64LE(batchStart + 48))
  if (originBytes === 0 || originBytes > ORIGIN_LIMIT_BYTES || payloadStart !== batchStart + BATCH_HEADER_BYTES + originBytes) {
    return malformed('length of the origin')
  }
  if (first < 1 || count < 1 || !Number.isSafeInteger(first + count)) return malformed('sequence')
  if (take < 1 || skip + take > count) return malformed('skip and take')
  if (plainBytes > PAYLOAD_LIMIT_BYTES) return malformed(`payload of ${plainBytes} bytes is over ${PAYLOAD_LIMIT_BYTES}`)
  if (!Number.isSafeInteger(storedUs) || !Number.isSafeInteger(receivedUs)) return malformed('time')
  // What grew when it was packed has been padded: it could pass the limit once a hop is added.
  if (at + recordBytes - payloadStart > plainBytes + PACKED_SLACK_BYTES) return malformed('payload is longer packed than plain')
  if (codec !== CODEC_PLAIN && codec !== CODEC_ZSTD) return malformed(`codec ${codec} is not known`)
  if (codec === CODEC_PLAIN && plainBytes !== at + recordBytes - payloadStart) return malformed('length of the payload')
  return {
    kind: 'record',
    head: {
      start: at,
      end: at + recordBytes,
      batchStart,
      payloadStart,
      skip,
      take,
      storedUs,
      codec,
      origin: bytes.toString('latin1', batchStart + BATCH_HEADER_BYTES, payloadStart),
      stream: bytes.toString('hex', batchStart + 16, batchStart + 32),
      first,
      count,
      plainBytes,
      receivedUs,
    },
  }
}

/**
 * Length of the record at `at` when its envelope is whole and undamaged, whatever became of the batch behind it. What stands within that length was
 * written by whoever sent the messages, and may look like a record.
 */
export function recordBytesOf(bytes: Buffer, at: number, end: number): number | undefined {
  if (end - at < ENVELOPE_BYTES || bytes.readUInt32LE(at) !== RECORD_MAGIC) return undefined
  const recordBytes = bytes.readUInt32LE(at + 8)
  const envelopeBytes = bytes.readUInt16LE(at + 12)
  if (recordBytes > RECORD_LIMIT_BYTES || envelopeBytes < ENVELOPE_BYTES || recordBytes < envelopeBytes) return undefined
  if (end - at < envelopeBytes || crc32(bytes.subarray(at + 8, at + envelopeBytes), CRC_SEED) !== bytes.readUInt32LE(at + 4))
    return undefined
  return recordBytes
}

export interface Window {
  readonly skip: number
  readonly take: number
}

/**
 * The envelope with which this node stores a batch of `batchBytes` bytes.
 * @throws {RangeError} hops that cannot be written
 */
export function encodeEnvelope(batchBytes: number, window: Window, hops: readonly Hop[], storedUs: number): Buffer {
  const form = hopsForm(hops)
  const length = ENVELOPE_BYTES + hopsBytes(hops, form)
  const envelope = Buffer.alloc(length)
  envelope.writeUInt32LE(RECORD_MAGIC, 0)
  envelope.writeUInt32LE(length + batchBytes, 8)
  envelope.writeUInt16LE(length, 12)
  envelope[14] = hops.length
  envelope[15] = form
  envelope.writeUInt32LE(window.skip, 16)
  envelope.writeUInt32LE(window.take, 20)
  envelope.writeBigUInt64LE(BigInt(storedUs), 24)
  writeHops(envelope, ENVELOPE_BYTES, hops, form)
  envelope.writeUInt32LE(crc32(envelope.subarray(8), CRC_SEED), 4)
  return envelope
}

export interface NewBatch {
  readonly origin: string
  readonly stream: string
  readonly first: number
  readonly count: number
  readonly plainBytes: number
  readonly codec: number
  readonly receivedUs: number
  /** The way that its messages have come; left out where they begin here. */
  readonly hops?: readonly Hop[] | undefined
}

/**
 * Completes a record around a payload that already stands at `bytes[payloadStart..payloadEnd]`, writing envelope and batch header into
 * the headroom before it, so that no payload is copied. Returns the offset at which the record starts.
 * @throws {RangeError} less room before the payload than that takes (BATCH_HEADROOM_BYTES is enough), or an origin that is empty or over 253 bytes
 */
export function frameBatch(bytes: Buffer, payloadStart: number, payloadEnd: number, batch: NewBatch, storedUs: number): number {
  const originBytes = batch.origin.length
  if (originBytes === 0 || originBytes > ORIGIN_LIMIT_BYTES)
    throw new RangeError(`Cannot make a batch: origin of ${originBytes} bytes, 1 to 253`)
  if (batch.plainBytes > PAYLOAD_LIMIT_BYTES)
    throw new RangeError(`Cannot make a batch: payload of ${batch.plainBytes} bytes, at most ${PAYLOAD_LIMIT_BYTES}`)
  const batchStart = payloadStart - originBytes - BATCH_HEADER_BYTES
  const batchBytes = payloadEnd - batchStart
  const envelope = encodeEnvelope(batchBytes, { skip: 0, take: batch.count }, batch.hops ?? [], storedUs)
  if (batchStart < envelope.length)
    throw new RangeError(`Cannot make a batch: ${payloadStart} bytes of headroom, ${payloadStart - batchStart + envelope.length}`)
  bytes.writeUInt32LE(BATCH_MAGIC, batchStart)
  bytes.writeUInt32LE(batchBytes, batchStart + 8)
  bytes.writeUInt16LE(payloadStart - batchStart, batchStart + 12)
  bytes[batchStart + 14] = batch.codec
  bytes[batchStart + 15] = originBytes
  bytes.write(batch.stream, batchStart + 16, 16, 'hex')
  bytes.writeBigUInt64LE(BigInt(batch.first), batchStart + 32)
  bytes.writeUInt32LE(batch.count, batchStart + 40)
  bytes.writeUInt32LE(batch.plainBytes, batchStart + 44)
  bytes.writeBigUInt64LE(BigInt(batch.receivedUs), batchStart + 48)
  bytes.write(batch.origin, batchStart + BATCH_HEADER_BYTES, 'latin1')
  bytes.writeUInt32LE(crc32(bytes.subarray(batchStart + 8, payloadEnd), CRC_SEED), batchStart + 4)
  envelope.copy(bytes, batchStart - envelope.length)
  return batchStart - envelope.length
}
