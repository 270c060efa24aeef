import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { writeDocument } from '../../../core/base/checked-document.ts'
import { nodeFiles } from '../../../core/base/files.ts'
import { CODEC_ZSTD } from '../../../core/spool/batch.ts'
import { quarantine } from '../../../core/spool/recovery.ts'
import { append, flip, makeSpool, message, openSpool, recordsOf, segmentsOf, temporary, verify } from './inspect-made.ts'

/** A sound spool, damaged by `damage`; what verify finds then. */
async function findings(t: ExecutionContext, damage: (directory: string, segments: string[]) => void, delivered = 3): Promise<string[]> {
  const directory = temporary(t)
  await makeSpool(directory, delivered)
  damage(directory, segmentsOf(directory))
  const { damages, damaged } = await verify(directory)
  t.is(damaged, damages.length)
  for (const { remedy } of damages) t.true(remedy.length > 10, 'a finding without remedy')
  return damages.map(({ file, offset, bytes, reason }) => `${path.relative(directory, file)} ${offset} ${bytes} ${reason}`)
}

test('a sound spool has no finding, and everything in it is counted', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory, 3)
  const before = segmentsOf(directory).map((file) => fs.readFileSync(file, 'latin1'))
  const { damages, notes, ...sums } = await verify(directory)
  t.deepEqual(damages, [])
  t.deepEqual(notes, [])
  t.is(sums.segments, 10)
  t.is(sums.records, 40)
  t.is(sums.messages, 200)
  t.is(sums.streams, 1)
  t.deepEqual(
    segmentsOf(directory).map((file) => fs.readFileSync(file, 'latin1')),
    before,
  )
  t.false(fs.existsSync(path.join(directory, 'quarantine')))
})

test('compressed batches are taken apart and checked', async (t) => {
  const directory = temporary(t)
  const spool = openSpool(directory)
  append(spool, [message(1), message(2)], { codec: CODEC_ZSTD })
  await spool.close()
  t.is((await verify(directory)).messages, 2)
  t.deepEqual((await verify(directory)).damages, [])
})

test('a record whose payload does not fit its header is found, although its checksum is right', async (t) => {
  const directory = temporary(t)
  const spool = openSpool(directory)
  const bytes = Buffer.alloc(500)
  spool.appendBatch(bytes, 400, 500, { origin: 'a', count: 1, plainBytes: 100, codec: 0, receivedUs: 1 })
  await spool.close()
  t.regex((await verify(directory)).damages.map(({ reason }) => reason).join(), /^of a: length of a message is 0$/)
})

test('a flipped bit in the middle costs one record, and names its place', async (t) => {
  const file = (directory: string): string => segmentsOf(directory)[2]!
  let place = ''
  const found = await findings(t, (directory) => {
    const [from, to] = recordsOf(file(directory))[1]!
    flip(file(directory), from + 300)
    place = `segments/000000000003.segment ${from} ${to - from} checksum of the batch`
  })
  // The gap that it leaves in the sequences is explained by it.
  t.deepEqual(found, [place])
})

test('bad bytes that are in quarantine already are a note, and so is the gap that they leave', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const file = segmentsOf(directory)[2]!
  const [from, to] = recordsOf(file)[1]!
  flip(file, from + 300)
  const fd = fs.openSync(file, 'r')
  // In two pieces, as a follower finds them.
  quarantine(nodeFiles, directory, 3, fd, from, from + 100)
  t.is((await verify(directory)).damaged, 1)
  quarantine(nodeFiles, directory, 3, fd, from + 100, to)
  fs.closeSync(fd)
  const { damages, notes } = await verify(directory)
  t.deepEqual(damages, [])
  t.regex(notes.join('\n'), /are in quarantine and are passed over\nmessages 46 to 50 of .* are missing/)
  // Other bytes of that place are not those.
  flip(file, from + 301)
  t.is((await verify(directory)).damaged, 1)
})

test('the last record is torn, and streams had counted it', async (t) => {
  const found = await findings(t, (_, segments) => fs.truncateSync(segments[9]!, 3400))
  t.deepEqual(found, [
    'segments/000000000010.segment 2584 816 the last record is torn',
    'streams 0 0 it covers up to 10:3424, the spool ends at 10:3400',
  ])
})

test('a torn header is found', async (t) => {
  const found = await findings(t, (_, segments) => fs.truncateSync(segments[9]!, 30))
  t.is(found[0], 'segments/000000000010.segment 0 30 the header is torn')
})

test('zeros at the end are told as what a power cut leaves', async (t) => {
  const found = await findings(t, (_, segments) => fs.appendFileSync(segments[9]!, Buffer.alloc(5000)))
  t.deepEqual(found, ['segments/000000000010.segment 3424 5000 the end is zeros, as a power cut leaves it'])
})

test('a bad end of a segment that is not the last one is no torn tail', async (t) => {
  const found = await findings(t, (_, segments) => fs.truncateSync(segments[4]!, 3400))
  t.is(found.length, 1)
  t.regex(found[0]!, /^segments\/000000000005\.segment \d+ \d+ torn$/)
})

test('a missing segment is found, and its gap is not told again', async (t) => {
  t.deepEqual(await findings(t, (_, segments) => fs.unlinkSync(segments[4]!)), ['segments 0 0 segment 5 is missing'])
  t.deepEqual(
    await findings(t, (_, segments) => {
      fs.unlinkSync(segments[4]!)
      fs.unlinkSync(segments[5]!)
    }),
    ['segments 0 0 segments 5 to 6 are missing'],
  )
})

test('when the last segment is gone, streams covers what is not there', async (t) => {
  const found = await findings(t, (_, segments) => fs.unlinkSync(segments[9]!))
  t.deepEqual(found, ['streams 0 0 it covers up to 10:3424, the spool ends at 9:3424'])
})

test('a damaged header is found, and the records behind it are read', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  flip(segmentsOf(directory)[3]!, 20)
  const { damages, records } = await verify(directory)
  t.is(records, 40)
  t.deepEqual(
    damages.map(({ offset, bytes, reason }) => [offset, bytes, reason]),
    [[0, 64, 'the header is none of this segment, or its checksum does not match']],
  )
})

for (const [name, content] of [
  ['flipped', undefined],
  ['empty', ''],
  ['of zeros', '\0'.repeat(200)],
  ['of another kind', 'loghop other 1 00000000\n{}\n'],
] as const) {
  test(`documents that are ${name} are found, each with its file`, async (t) => {
    const found = await findings(t, (directory) => {
      for (const file of ['state', 'streams', 'cursors/uplink.cursor']) {
        if (content === undefined) flip(path.join(directory, file), 40)
        else fs.writeFileSync(path.join(directory, file), content)
      }
    })
    t.deepEqual(
      found.map((one) => one.split(' ')[0]),
      ['state', 'streams', 'cursors/uplink.cursor'],
    )
  })
}

test('a document with a good checksum and another shape is damaged', async (t) => {
  const found = await findings(t, (directory) => {
    writeDocument(nodeFiles, path.join(directory, 'state'), 'state', { id: 'x' })
    writeDocument(nodeFiles, path.join(directory, 'streams'), 'streams', {
      position: { segment: 1, offset: 64 },
      streams: [['a', 'b'.repeat(32), [[5, 3]]]],
    })
    writeDocument(nodeFiles, path.join(directory, 'cursors/uplink.cursor'), 'cursor', { position: { segment: -1, offset: 1.5 } })
  })
  t.is(found.filter((one) => one.endsWith('what it says is not what such a document says')).length, 3)
})

test('a spool without its state is damaged', async (t) => {
  const found = await findings(t, (directory) => fs.unlinkSync(path.join(directory, 'state')))
  t.deepEqual(found, ['state 0 0 it is missing'])
})

test('a cursor amid a record, and one behind the end, are found', async (t) => {
  const move = (directory: string, segment: number, offset: number): void =>
    writeDocument(nodeFiles, path.join(directory, 'cursors/uplink.cursor'), 'cursor', { position: { segment, offset } })
  t.deepEqual(await findings(t, (directory) => move(directory, 3, 100)), [
    'cursors/uplink.cursor 0 0 it says 3:100, where no record begins or ends',
  ])
  // So it is left by a recovery that has cut a segment: the destination goes on in the next one.
  t.deepEqual(await findings(t, (directory) => move(directory, 3, 999_999)), [])
  t.deepEqual(await findings(t, (directory) => move(directory, 10, 999_999)), [
    'cursors/uplink.cursor 0 0 it says 10:999999, the spool ends at 10:3424',
  ])
  t.deepEqual(await findings(t, (directory) => move(directory, 10, 3424)), [])
})

test('messages that streams covers and does not list are found once', async (t) => {
  const found = await findings(t, (directory) =>
    writeDocument(nodeFiles, path.join(directory, 'streams'), 'streams', { position: { segment: 10, offset: 3424 }, streams: [] }),
  )
  t.is(found.length, 10, 'one for each segment')
  t.regex(found[0]!, /^streams 0 0 messages 1 to 5 of web01.example.com .* stand at 1:64 and are not in it$/)
})

test('a segment that stands there twice is found, and one that stands at another place', async (t) => {
  /** Under another number, with a header that fits it. */
  const move = (from: string, to: string, header: string): void => {
    const bytes = fs.readFileSync(from)
    fs.readFileSync(header).copy(bytes, 0, 0, 64)
    fs.writeFileSync(to, bytes)
  }
  const twice = await findings(t, (_, segments) => move(segments[2]!, segments[6]!, segments[6]!))
  t.regex(twice.join('\n'), /segments\/000000000007\.segment 64 \d+ messages 41 to 45 of .* stand here a second time/)
  t.regex(twice.join('\n'), /segments\/000000000008\.segment 64 0 messages 121 to 140 of .* are missing before this place/)
  const disorder = await findings(t, (_, segments) => {
    const other = fs.readFileSync(segments[6]!)
    move(segments[2]!, segments[6]!, segments[6]!)
    fs.readFileSync(segments[2]!).copy(other, 0, 0, 64)
    fs.writeFileSync(segments[2]!, other)
  })
  t.regex(disorder.join('\n'), /segments\/000000000007\.segment 64 \d+ messages 41 to 45 of .* stand behind later ones/)
})

test('beside a daemon a torn end is being written, and what comes meanwhile is read', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const last = segmentsOf(directory)[9]!
  const whole = fs.readFileSync(last)
  fs.truncateSync(last, 3000)
  const still = await verify(directory, true)
  t.deepEqual(
    still.damages.filter(({ file }) => file === last),
    [],
  )
  t.regex(still.notes.join(), /are being written/)
  let pauses = 0
  const ended = await verify(directory, true, () => {
    if (++pauses === 2) fs.writeFileSync(last, whole)
  })
  t.deepEqual(ended.damages, [])
  t.deepEqual(ended.notes, [])
  t.is(ended.records, 40)
})

test('a spool under a writer that goes on is sound all the time', async (t) => {
  const directory = temporary(t)
  const spool = openSpool(directory)
  spool.attach('uplink', false)
  for (let round = 0; round < 30; round++) {
    const { damages } = await verify(directory, true, () => append(spool, [message(round)]))
    t.deepEqual(damages, [])
    for (let record = 0; record < 7; record++) append(spool, [message(record, 'y'.repeat(100)), message(record)])
    if (round % 5 === 0) await spool.checkpoint()
  }
  await spool.close()
  t.deepEqual((await verify(directory)).damages, [])
})

test('a segment that cannot be read is a finding, and the others are read', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const file = segmentsOf(directory)[3]!
  fs.unlinkSync(file)
  fs.mkdirSync(file)
  const { damages, records } = await verify(directory)
  t.is(records, 36)
  t.is(damages.length, 1)
  t.regex(damages[0]!.reason, /^cannot be read: /)
})
