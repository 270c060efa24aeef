import * as fs from 'node:fs'
import test from 'ava'
import { nodeFiles } from '../../../core/base/files.ts'
import { encodeEnvelope, readRecord } from '../../../core/spool/batch.ts'
import { SEGMENT_HEADER_BYTES } from '../../../core/spool/constants.ts'
import type { Hop } from '../../../core/spool/hops.ts'
import { bytesBehind, endPosition, missingSegments, oldestPosition, segmentFiles } from '../../../core/spool/inspect.ts'
import { readFrom, summarise, walkSegment, walkWindow } from '../../../core/spool/inspect-records.ts'
import { append, flip, makeSpool, message, openSpool, segmentsOf, temporary, verify } from './inspect-made.ts'

const HOPS: Hop[] = Array.from({ length: 16 }, (_, index) => ({
  id: index.toString(16).padStart(32, '0'),
  name: `relay${index}.${'x'.repeat(200)}.example.com`,
  arrivedUs: index,
}))

test('heads alone give the same sums as every byte: small and large records, the longest way, the largest message', async (t) => {
  const [source, directory] = [temporary(t), temporary(t)]
  const from = openSpool(source, 64 << 20)
  append(from, [message(1)])
  append(from, [message(2, 'x'.repeat((2 << 20) - 200))])
  for (let record = 0; record < 300; record++)
    append(
      from,
      Array.from({ length: 1 + (record % 7) }, (_, part) => message(record * 10 + part, 'y'.repeat((record * 97) % 5000))),
    )
  await from.close()
  const spool = openSpool(directory, 64 << 20)
  const bytes = fs.readFileSync(segmentsOf(source)[0]!)
  for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; ) {
    const result = readRecord(bytes, at, bytes.length)
    if (result.kind !== 'record') throw new Error(`No record at ${at}`)
    t.is(spool.appendReceived(bytes, result.head, at % 2 === 0 ? HOPS : HOPS.slice(0, 1)).kind, 'stored')
    at = result.head.end
  }
  await spool.close()
  for (const one of [source, directory]) {
    const [segment] = segmentFiles(nodeFiles, one)
    const fd = fs.openSync(segment!.file, 'r')
    const heads = [...walkSegment(nodeFiles, fd, SEGMENT_HEADER_BYTES, segment!.bytes, walkWindow())].flatMap((step) =>
      step.kind === 'record' ? [step.head.take] : [],
    )
    fs.closeSync(fd)
    const { records, messages, badBytes } = summarise(nodeFiles, segment!)
    t.is(records, 302)
    t.deepEqual([records, messages, badBytes], [heads.length, heads.reduce((sum, take) => sum + take), 0])
  }
  t.deepEqual((await verify(directory)).damages, [])
})

test('bad heads are counted as bytes that are no record', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory, 0, 4)
  const [segment] = segmentFiles(nodeFiles, directory)
  flip(segment!.file, SEGMENT_HEADER_BYTES + 5)
  const { records, badBytes } = summarise(nodeFiles, segment!)
  t.is(records, 3)
  t.true(badBytes > 700 && badBytes < 900)
})

test('of a batch that came by two ways only the part that a record stands for counts, and gaps of others are none', async (t) => {
  const [source, directory] = [temporary(t), temporary(t)]
  const from = openSpool(source)
  append(
    from,
    [1, 2, 3, 4].map((number) => message(number)),
  )
  await from.close()
  const bytes = fs.readFileSync(segmentsOf(source)[0]!)
  const result = readRecord(bytes, SEGMENT_HEADER_BYTES, bytes.length)
  if (result.kind !== 'record') throw new Error('No record')
  const spool = openSpool(directory)
  /** The same batch, standing for a part of itself. */
  const part = (skip: number, take: number): void => {
    const batch = bytes.subarray(result.head.batchStart, result.head.end)
    const record = Buffer.concat([encodeEnvelope(batch.length, { skip, take }, [], 1), batch])
    const read = readRecord(record, 0, record.length)
    if (read.kind === 'record') spool.appendReceived(record, read.head, HOPS.slice(0, 1))
  }
  part(2, 1)
  part(0, 1)
  await spool.close()
  const { messages, damages, notes } = await verify(directory)
  t.is(messages, 2)
  t.deepEqual([damages, notes], [[], []])
})

test('places: what is behind one, the oldest and the end, and numbers without a segment', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const segments = segmentFiles(nodeFiles, directory)
  const all = segments.reduce((sum, { bytes }) => sum + bytes - SEGMENT_HEADER_BYTES, 0)
  t.is(bytesBehind(segments, oldestPosition(segments)), all)
  t.is(bytesBehind(segments, endPosition(segments)), 0)
  t.is([...readFrom(nodeFiles, segments, { segment: 10, offset: SEGMENT_HEADER_BYTES })].length, 4)
  t.is([...readFrom(nodeFiles, segments, endPosition(segments))].length, 0)
  t.deepEqual(missingSegments(segments), [])
  t.deepEqual(missingSegments([segments[0]!, segments[3]!, segments[4]!, segments[8]!]), [
    [2, 3],
    [6, 8],
  ])
  t.deepEqual(oldestPosition([]), endPosition([]))
})

test('a segment that is freed while others are read is passed over', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const segments = segmentFiles(nodeFiles, directory)
  let records = 0
  for (const read of readFrom(nodeFiles, segments, oldestPosition(segments))) {
    if (records++ === 0) fs.unlinkSync(segments[1]!.file)
    t.is(read.kind, 'record')
  }
  t.is(records, 36)
})

test('an envelope that says it is longer than 16 hops can make it is none, whatever stands in it', (t) => {
  const bytes = Buffer.alloc(1 << 17)
  bytes.write('LHR1')
  bytes.writeUInt32LE(70_000, 8)
  for (const length of [5249, 65_535]) {
    bytes.writeUInt16LE(length, 12)
    // Damage is looked through place by place: a checksum over 64 KiB at each of them would take minutes.
    t.deepEqual(readRecord(bytes, 0, bytes.length), { kind: 'malformed', reason: 'lengths do not add up' })
  }
  bytes.writeUInt16LE(5248, 12)
  t.deepEqual(readRecord(bytes, 0, bytes.length), { kind: 'malformed', reason: 'checksum of the envelope' })
})
