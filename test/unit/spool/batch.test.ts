import { crc32 } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { CODEC_ZSTD, encodeEnvelope, frameBatch, type RecordHead, readRecord, recordBytesOf } from '../../../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES, CRC_SEED, PAYLOAD_LIMIT_BYTES, RECORD_LIMIT_BYTES } from '../../../core/spool/constants.ts'
import { inEarlierForm } from '../../../core/spool/earlier-form.ts'
import { readHops } from '../../../core/spool/hops.ts'
import { payloadOf, recordOf, STREAM } from '../../support/records.ts'

const HOPS = [
  { id: 'aa'.repeat(16), name: 'relay-1', arrivedUs: 1 },
  { id: 'bb'.repeat(16), name: '', arrivedUs: Number.MAX_SAFE_INTEGER },
]
const RECORD = recordOf(['one', 'two', 'three'], { first: 41, skip: 1, take: 2, hops: HOPS })
const ENVELOPE = 32 + 25 + 7 + 25
const BATCH = ENVELOPE

/** The record with a field changed and both checksums made right again. */
function altered(change: (bytes: Buffer) => void, record = RECORD): Buffer {
  const bytes = Buffer.from(record)
  change(bytes)
  const batch = Math.min(bytes.readUInt16LE(12), bytes.length)
  if (batch + 8 <= bytes.length) bytes.writeUInt32LE(crc32(bytes.subarray(batch + 8), CRC_SEED), batch + 4)
  bytes.writeUInt32LE(crc32(bytes.subarray(8, batch), CRC_SEED), 4)
  return bytes
}

function reasonOf(bytes: Buffer): string {
  const result = readRecord(bytes, 0, bytes.length)
  return result.kind === 'malformed' ? result.reason : result.kind
}

test('what is encoded is read again, wherever it stands', (t) => {
  fc.assert(
    fc.property(
      fc.record({
        texts: fc.array(fc.string({ minLength: 1, unit: 'binary' }), { minLength: 1, maxLength: 8 }),
        origin: fc.stringMatching(/^[a-z0-9.-]{1,253}$/),
        stream: fc.stringMatching(/^[0-9a-f]{32}$/),
        first: fc.integer({ min: 1, max: 2 ** 52 }),
        receivedUs: fc.nat(2 ** 52),
        storedUs: fc.nat(2 ** 52),
        hops: fc.array(
          fc.record(
            {
              id: fc.stringMatching(/^[0-9a-f]{32}$/),
              name: fc.stringMatching(/^[ -~]{0,255}$/),
              arrivedUs: fc.nat(2 ** 52),
              address: fc.oneof(fc.ipV4(), fc.ipV6()),
            },
            { requiredKeys: ['id', 'name', 'arrivedUs'] },
          ),
          { maxLength: 16 },
        ),
        before: fc.integer({ min: 0, max: 9 }),
        behind: fc.integer({ min: 0, max: 9 }),
      }),
      (wish) => {
        const { texts, before, behind } = wish
        const record = recordOf(texts, wish)
        const bytes = Buffer.concat([Buffer.alloc(before, 0x4c), record, Buffer.alloc(behind, 0x4c)])
        const result = readRecord(bytes, before, bytes.length)
        if (result.kind !== 'record') return t.fail(JSON.stringify(result))
        const { head } = result
        t.deepEqual(
          { ...head, payload: bytes.subarray(head.payloadStart, head.end), hops: readHops(bytes, head) },
          {
            ...{ start: before, end: before + record.length, batchStart: head.batchStart, payloadStart: head.payloadStart },
            ...{ skip: 0, take: texts.length, count: texts.length, codec: 0, plainBytes: head.end - head.payloadStart },
            ...{ origin: wish.origin, stream: wish.stream, first: wish.first, storedUs: wish.storedUs, receivedUs: wish.receivedUs },
            ...{ payload: payloadOf(texts), hops: wish.hops },
          },
        )
        t.is(recordBytesOf(bytes, before, bytes.length), record.length)
      },
    ),
    { numRuns: 200 },
  )
})

test('no changed byte is ever accepted', (t) => {
  for (let at = 0; at < RECORD.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const bytes = Buffer.from(RECORD)
      bytes[at]! ^= flip
      const result = readRecord(bytes, 0, bytes.length)
      t.not(result.kind, 'record', `byte ${at} ^ ${flip}`)
      if (result.kind === 'need-more') t.true(result.bytes > bytes.length && result.bytes <= RECORD_LIMIT_BYTES, `byte ${at} ^ ${flip}`)
    }
  }
})

test('cut at every byte it needs more, and says how much', (t) => {
  for (let length = 0; length < RECORD.length; length++)
    t.deepEqual(readRecord(RECORD, 0, length), { kind: 'need-more', bytes: length < 32 ? 32 : RECORD.length }, `${length} bytes`)
})

test('zeros are no record, however many', (t) => {
  for (const length of [32, 89, 512, 65536]) t.is(readRecord(Buffer.alloc(length), 0, length).kind, 'malformed')
  const valid = Buffer.alloc(200)
  valid.write('LHR1', 0, 'latin1')
  t.is(readRecord(valid, 0, 200).kind, 'malformed')
})

// Fields that lie under good checksums, as a hostile sender makes them.
const LIES: ReadonlyArray<readonly [what: string, change: (bytes: Buffer) => void, reason: RegExp]> = [
  ['a length of 0', (bytes) => bytes.writeUInt32LE(0, 8), /lengths/],
  ['a length below the least', (bytes) => bytes.writeUInt32LE(ENVELOPE + 56, 8), /lengths/],
  ['a length over the limit', (bytes) => bytes.writeUInt32LE(RECORD_LIMIT_BYTES + 1, 8), /over/],
  ['the longest length', (bytes) => bytes.writeUInt32LE(0xffffffff, 8), /over/],
  ['an envelope of 0', (bytes) => bytes.writeUInt16LE(0, 12), /lengths/],
  ['an envelope of 31', (bytes) => bytes.writeUInt16LE(31, 12), /lengths/],
  ['an envelope past the end', (bytes) => bytes.writeUInt16LE(0xffff, 12), /lengths/],
  ['an envelope one shorter', (bytes) => bytes.writeUInt16LE(ENVELOPE - 1, 12), /no batch/],
  ['a take of 0', (bytes) => bytes.writeUInt32LE(0, 20), /skip and take/],
  ['a take past the count', (bytes) => bytes.writeUInt32LE(3, 20), /skip and take/],
  ['the largest take', (bytes) => bytes.writeUInt32LE(0xffffffff, 20), /skip and take/],
  ['the largest skip', (bytes) => bytes.writeUInt32LE(0xffffffff, 16), /skip and take/],
  ['a batch length of 0', (bytes) => bytes.writeUInt32LE(0, BATCH + 8), /lengths of record and batch/],
  ['a batch one longer', (bytes) => bytes.writeUInt32LE(RECORD.length - ENVELOPE + 1, BATCH + 8), /lengths of record and batch/],
  ['a header of 0', (bytes) => bytes.writeUInt16LE(0, BATCH + 12), /origin/],
  ['a header into the payload', (bytes) => bytes.writeUInt16LE(56 + 6, BATCH + 12), /origin/],
  ['codec 2', (bytes) => bytes.writeUInt8(2, BATCH + 14), /codec/],
  ['no origin', (bytes) => bytes.writeUInt8(0, BATCH + 15), /origin/],
  ['an origin of 254', (bytes) => bytes.writeUInt8(254, BATCH + 15), /origin/],
  ['sequence 0', (bytes) => bytes.writeBigUInt64LE(0n, BATCH + 32), /sequence/],
  ['a sequence past what a number holds', (bytes) => bytes.writeBigUInt64LE(2n ** 53n, BATCH + 32), /sequence/],
  ['the largest sequence', (bytes) => bytes.writeBigUInt64LE(2n ** 64n - 1n, BATCH + 32), /sequence/],
  ['a count of 0', (bytes) => bytes.writeUInt32LE(0, BATCH + 40), /sequence/],
  ['a payload of another length', (bytes) => bytes.writeUInt32LE(1, BATCH + 44), /payload/],
  ['a payload over the limit', (bytes) => bytes.writeUInt32LE(PAYLOAD_LIMIT_BYTES + 1, BATCH + 44), /over/],
]

for (const [what, change, reason] of LIES)
  test(`${what} is refused under good checksums`, (t) => void t.regex(reasonOf(altered(change)), reason))

test('hops that do not fit their envelope are no hops', (t) => {
  const result = readRecord(RECORD, 0, RECORD.length)
  if (result.kind !== 'record') return t.fail()
  for (const [at, value] of [
    [14, 3],
    [14, 1],
    [14, 255],
    [32 + 24, 8],
    [32 + 24, 255],
  ] as const) {
    const bytes = altered((changed) => changed.writeUInt8(value, at))
    t.is(readHops(bytes, result.head), undefined, `byte ${at} is ${value}`)
  }
})

test('what cannot be encoded is refused', (t) => {
  t.throws(() => encodeEnvelope(1, { skip: 0, take: 1 }, Array(17).fill(HOPS[0]), 1), { instanceOf: RangeError })
  t.throws(() => encodeEnvelope(1, { skip: 0, take: 1 }, [{ ...HOPS[0]!, name: 'x'.repeat(256) }], 1), { instanceOf: RangeError })
  const batch = { origin: 'a', stream: STREAM, first: 1, count: 1, plainBytes: 1, codec: 0, receivedUs: 1 }
  t.throws(() => frameBatch(Buffer.alloc(999), 88, 999, batch, 1), { instanceOf: RangeError })
  for (const origin of ['', 'x'.repeat(254)])
    t.throws(() => frameBatch(Buffer.alloc(999), 704, 999, { ...batch, origin }, 1), { instanceOf: RangeError })
})

test('readRecord() refuses a payload that is longer packed than plain, and times that are no time', (t) => {
  const bytes = Buffer.alloc(8192)
  const fields = { origin: 'web01.example.com', stream: 'ab'.repeat(16), first: 1, count: 1, receivedUs: 1 }
  const padded = frameBatch(bytes, 1000, 4000, { ...fields, plainBytes: 100, codec: CODEC_ZSTD }, 1)
  t.deepEqual(readRecord(bytes, padded, 4000), { kind: 'malformed', reason: 'payload is longer packed than plain' })
  const hop = { id: 'cd'.repeat(16), name: 'relay', arrivedUs: 1 }
  const envelope = encodeEnvelope(10, { skip: 0, take: 1 }, [hop], 1)
  envelope.fill(0xff, 48, 56)
  const head = { start: 0, batchStart: envelope.length } as RecordHead
  t.is(readHops(envelope, head), undefined)
})

/** With two hops, as it was written before hops had addresses. */
const OLD =
  '4c4852311b9d564bf100000076000200000000000200000002401e18240a0600aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa03401e18240a06001173697465312e6578616d706c652e636f6d' +
  'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb04401e18240a06001363656e7472616c2e6578616d706c652e636f6d4c48423195ad305d7b0000003d00000500112233445566778899aabbccddeeff' +
  '2900000000000000020000003e00000001401e18240a060077656230311b0000003c31333e31202d20776562303120617070202d202d202d206f6e651b0000003c31333e31202d2077656230' +
  '3120617070202d202d202d2074776f'
const OLD_HOPS = [
  { id: 'aa'.repeat(16), name: 'site1.example.com', arrivedUs: 1_700_000_000_000_003 },
  { id: 'bb'.repeat(16), name: 'central.example.com', arrivedUs: 1_700_000_000_000_004 },
]

test('a record of the earlier form is read, and a later one is made so again for whoever knows no other', (t) => {
  const old = Buffer.from(OLD, 'hex')
  const result = readRecord(old, 0, old.length)
  if (result.kind !== 'record') return t.fail(JSON.stringify(result))
  t.deepEqual(readHops(old, result.head), OLD_HOPS)
  t.is(inEarlierForm(old, [result.head]), undefined)
  const texts = ['<13>1 - web01 app - - - one', '<13>1 - web01 app - - - two']
  const later = recordOf(texts, { first: 41, hops: [{ ...OLD_HOPS[0]!, address: '192.0.2.1' }, OLD_HOPS[1]!] })
  const both = Buffer.concat([Buffer.alloc(7), old, later])
  const heads = [7, 7 + old.length].map((at) => {
    const each = readRecord(both, at, both.length)
    if (each.kind !== 'record') throw new Error(each.kind)
    return each.head
  })
  t.is(inEarlierForm(both, heads)?.toString('hex'), OLD + OLD)
})

test('hops with addresses that do not fit or are none are no hops, and an unknown form is no record', (t) => {
  const hop = { id: 'aa'.repeat(16), name: 'site1', arrivedUs: 1 }
  const record = recordOf(['x'], { hops: [{ ...hop, address: '192.0.2.1' }, hop] })
  const result = readRecord(record, 0, record.length)
  if (result.kind !== 'record') return t.fail()
  const hopsWith = (change: (bytes: Buffer) => void) => readHops(altered(change, record), result.head)
  const at = 32 + 25 + 5
  t.is(hopsWith(() => undefined)?.[0]?.address, '192.0.2.1')
  for (const length of [0, 8, 10, 46, 255])
    t.is(
      hopsWith((bytes) => bytes.writeUInt8(length, at)),
      undefined,
      `${length}`,
    )
  for (const text of ['192.0.2.x', '999.0.2.1', '../../etc', 'fe80::1%e'])
    t.is(
      hopsWith((bytes) => bytes.write(text, at + 1)),
      undefined,
      text,
    )
  t.is(
    hopsWith((bytes) => bytes.writeUInt8(0, 15)),
    undefined,
    'the earlier form',
  )
  t.is(reasonOf(altered((bytes) => bytes.writeUInt8(2, 15), record)), 'hops of the form 2 are not known')
  for (const address of ['fe80::1%eth0', 'unix', ''])
    t.throws(() => encodeEnvelope(1, { skip: 0, take: 1 }, [{ ...hop, address }], 1), { instanceOf: RangeError }, address)
})

test('the largest envelope of a batch that begins here fits the room before its payload', (t) => {
  const address = 'abcd:abcd:abcd:abcd:abcd:abcd:192.168.100.100'
  const hops = [{ id: 'aa'.repeat(16), name: 'n'.repeat(255), arrivedUs: 1, address }]
  const batch = { origin: 'o'.repeat(253), stream: STREAM, first: 1, count: 1, plainBytes: 5, codec: 0, receivedUs: 1, hops }
  const bytes = Buffer.alloc(BATCH_HEADROOM_BYTES + 5)
  const start = frameBatch(bytes, BATCH_HEADROOM_BYTES, bytes.length, batch, 1)
  t.true(start >= 0)
  t.is(readRecord(bytes, start, bytes.length).kind, 'record')
  const full = recordOf(['x'], { hops: Array(16).fill(hops[0]) })
  t.is(readRecord(full, 0, full.length).kind, 'record')
})
