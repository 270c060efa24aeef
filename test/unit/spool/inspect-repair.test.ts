import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readDocument, writeDocument } from '../../../core/base/checked-document.ts'
import { nodeFiles } from '../../../core/base/files.ts'
import { inspectState } from '../../../core/spool/inspect-documents.ts'
import { append, flip, keptBytes, makeSpool, message, openSpool, recordsOf, repair, segmentsOf, temporary, verify } from './inspect-made.ts'

/** Everything in a directory, by name. */
function contents(directory: string): Map<string, string> {
  const entries = fs.readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    entries.map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      return [path.relative(directory, file), fs.readFileSync(file, 'latin1')]
    }),
  )
}

/** Damages a spool, sees that a dry run changes nothing, repairs it, and sees that it is sound then and stays so. */
async function mended(
  t: ExecutionContext,
  damage: (segments: string[], directory: string) => void,
  delivered = 3,
): Promise<{ directory: string; done: string[]; before: Map<string, string>; records: number }> {
  const directory = temporary(t)
  await makeSpool(directory, delivered)
  damage(segmentsOf(directory), directory)
  t.true((await verify(directory)).damaged > 0, 'there is nothing to repair')
  const before = contents(directory)
  const dry = repair(directory, true)
  t.deepEqual(contents(directory), before, 'a dry run has changed something')
  const { done, left } = repair(directory)
  t.deepEqual(done, dry.done, 'the dry run told something else')
  t.deepEqual(left, [])
  const { damages, records } = await verify(directory)
  t.deepEqual(damages, [])
  t.deepEqual(repair(directory), { done: [], left: [] }, 'a second repair finds more')
  return { directory, done, before, records }
}

/** What a daemon with the destination `uplink` still delivers: the number at the end of each message's header. */
async function delivered(directory: string): Promise<number[]> {
  const spool = openSpool(directory, 4096, 'boot-2')
  const attachment = spool.attach('uplink', false)
  const numbers: number[] = []
  const room = Buffer.alloc(1 << 16)
  for (let chunk = attachment.follower.read(room, 0); chunk !== undefined; chunk = attachment.follower.read(room, 0)) {
    const text = chunk.bytes.toString('latin1', chunk.start, chunk.end)
    numbers.push(...[...text.matchAll(/app - - - (\d+)/g)].map((match) => Number(match[1])))
    attachment.acknowledge(chunk.positions.at(-1)!)
  }
  append(spool, [message(9999)])
  await spool.close()
  return numbers
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

test('a sound spool is left alone, down to the time of its files', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory, 3)
  const before = contents(directory)
  t.deepEqual(repair(directory), { done: [], left: [] })
  t.deepEqual(contents(directory), before)
})

test('a torn end is cut, what was cut is kept, and the rest is delivered', async (t) => {
  let torn = ''
  const { directory, done } = await mended(t, (segments) => {
    fs.truncateSync(segments[9]!, 3400)
    torn = fs.readFileSync(segments[9]!).toString('latin1', 2584)
  })
  t.regex(done[0]!, /^cut 816 bytes off the end of .*000000000010\.segment at 2584 \(torn\)/)
  t.is(fs.statSync(segmentsOf(directory)[9]!).size, 2584)
  t.deepEqual(
    keptBytes(directory)
      .map((bytes) => bytes.toString('latin1'))
      .filter((text) => text.startsWith('LHR1')),
    [torn],
  )
  t.deepEqual(await delivered(directory), range(16, 195))
})

test('zeros at the end are cut', async (t) => {
  const { directory } = await mended(t, (segments) => fs.appendFileSync(segments[9]!, Buffer.alloc(5000)))
  t.is(keptBytes(directory)[0]!.length, 5000)
  t.deepEqual(await delivered(directory), range(16, 200))
})

test('a destination that had everything does not get it all again when the last record is cut', async (t) => {
  const { directory, done } = await mended(t, (segments) => flip(segments.at(-1)!, 3000), 40)
  t.regex(done.join('\n'), /set cursor uplink to 10:2584 .* has all that is left/)
  t.deepEqual(await delivered(directory), [])
})

test('bad bytes in the middle are kept and stay; the cursor does not move', async (t) => {
  let bad: readonly [number, number] = [0, 0]
  const { directory, done, before } = await mended(t, (segments) => {
    bad = recordsOf(segments[2]!)[1]!
    flip(segments[2]!, bad[0] + 300)
  })
  t.is(done.length, 1)
  const after = contents(directory)
  for (const [name, content] of before) t.is(after.get(name), content, `${name} has changed`)
  t.is(keptBytes(directory)[0]!.toString('latin1'), before.get('segments/000000000003.segment')!.slice(bad[0], bad[1]))
  t.deepEqual(await delivered(directory), [...range(16, 45), ...range(51, 200)])
})

for (const [name, at] of [
  ['in the middle', 3],
  ['that is the last', 9],
] as const) {
  test(`a segment ${name} with a bad header gets a new one, and all of its records are delivered`, async (t) => {
    const { directory, done } = await mended(t, (segments) => flip(segments[at]!, 20))
    t.regex(done.join('\n'), /write the header of .* anew/)
    t.is(keptBytes(directory)[0]!.length, 64)
    t.deepEqual(await delivered(directory), range(16, 200))
  })
}

test('an empty segment at the end, as a crash leaves it, gets a header; its number is not used again', async (t) => {
  const { directory } = await mended(t, (_, directory) => fs.writeFileSync(path.join(directory, 'segments/000000000011.segment'), ''))
  t.is(fs.statSync(path.join(directory, 'segments/000000000011.segment')).size, 64)
  t.deepEqual(await delivered(directory), range(16, 200))
})

test('a segment of garbage is kept whole, and its bytes are passed over', async (t) => {
  const garbage = Buffer.alloc(5000, 'LHR1 no record at all ')
  const { directory } = await mended(t, (segments) => fs.writeFileSync(segments[4]!, garbage))
  t.deepEqual(Buffer.concat(keptBytes(directory)), Buffer.concat([garbage.subarray(64), garbage.subarray(0, 64)]))
  t.deepEqual(await delivered(directory), [...range(16, 80), ...range(101, 200)])
})

test('a lost cursor starts at the oldest record kept', async (t) => {
  const file = (directory: string): string => path.join(directory, 'cursors/uplink.cursor')
  const { directory, done, before } = await mended(t, (_, directory) => flip(file(directory), 40))
  t.regex(done[0]!, /^set cursor uplink to 1:64 \(its checksum does not match\)/)
  t.is(keptBytes(directory)[0]!.toString('latin1'), before.get('cursors/uplink.cursor')!)
  t.deepEqual(await delivered(directory), range(1, 200))
})

test('a cursor amid a record goes back to its start; one behind the end to the oldest record', async (t) => {
  const move = (directory: string, segment: number, offset: number): void =>
    writeDocument(nodeFiles, path.join(directory, 'cursors/uplink.cursor'), 'cursor', {
      position: { segment, offset },
      extra: { files: [] },
    })
  const amid = await mended(t, (segments, directory) => move(directory, 3, recordsOf(segments[2]!)[1]![0] + 10))
  t.deepEqual(await delivered(amid.directory), range(46, 200))
  t.regex(amid.done[0]!, /may get messages again, and misses none/)
  const beyond = await mended(t, (_, directory) => move(directory, 12, 64))
  t.deepEqual(await delivered(beyond.directory), range(1, 200))
})

test('lost streams are rebuilt from the records kept, and a new stream begins', async (t) => {
  const { directory, done, before } = await mended(t, (_, directory) => fs.writeFileSync(path.join(directory, 'streams'), 'x'))
  t.is(done.length, 2)
  t.true(keptBytes(directory).some((bytes) => bytes.toString() === before.get('streams')))
  const streams = readDocument(nodeFiles, path.join(directory, 'streams'), 'streams')
  t.deepEqual((streams as unknown as { content: { streams: unknown[][] } }).content.streams[0]![2], [[1, 200]])
  const state = inspectState(nodeFiles, directory)
  const spool = openSpool(directory, 4096, 'boot-1')
  t.true(state.kind === 'read' && state.content.stream !== spool.stream, 'a sequence may stand for two messages')
  t.true(state.kind === 'read' && state.content.id === spool.id)
  await spool.close()
})

test('what streams knows of freed records stays known', async (t) => {
  const freed: unknown = ['old.example.com', 'a'.repeat(32), [[1, 77]]]
  const { directory } = await mended(t, (_, directory) =>
    writeDocument(nodeFiles, path.join(directory, 'streams'), 'streams', { position: { segment: 10, offset: 3424 }, streams: [freed] }),
  )
  const streams = readDocument(nodeFiles, path.join(directory, 'streams'), 'streams')
  t.deepEqual((streams as unknown as { content: { streams: unknown[] } }).content.streams[0], freed)
})

test('a lost state gets its id back from the segments', async (t) => {
  for (const damage of [(file: string) => fs.writeFileSync(file, 'x'), (file: string) => fs.unlinkSync(file)]) {
    let id = ''
    const { directory } = await mended(t, (_, directory) => {
      const state = inspectState(nodeFiles, directory)
      id = state.kind === 'read' ? state.content.id : ''
      damage(path.join(directory, 'state'))
    })
    const spool = openSpool(directory)
    t.is(spool.id, id)
    await spool.close()
  }
})

test('everything at once is mended, and no byte is gone', async (t) => {
  const { directory, before } = await mended(t, (segments, directory) => {
    flip(segments[0]!, 12)
    flip(segments[2]!, 1000)
    flip(segments[2]!, 2500)
    fs.truncateSync(segments[5]!, 2000)
    fs.truncateSync(segments[9]!, 3000)
    for (const file of ['state', 'streams', 'cursors/uplink.cursor']) flip(path.join(directory, file), 50)
  })
  const after = contents(directory)
  const kept = keptBytes(directory).map((bytes) => bytes.toString('latin1'))
  for (const [name, content] of before) {
    const now = after.get(name)!
    const isWhole = now === content || kept.includes(content)
    const isPatched = kept.some((part) => content === part + now.slice(part.length)) || kept.some((part) => content === now + part)
    t.true(isWhole || isPatched, `bytes of ${name} are gone`)
  }
  t.true((await delivered(directory)).length > 150)
})

test('a bad place that comes again is kept beside the first', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const last = segmentsOf(directory)[9]!
  for (const filler of ['a', 'b']) {
    fs.appendFileSync(last, Buffer.alloc(100, filler))
    repair(directory)
  }
  t.deepEqual(
    keptBytes(directory).map(String),
    ['a', 'b'].map((filler) => filler.repeat(100)),
  )
})

test('what cannot be read is left, and told', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const file = segmentsOf(directory)[3]!
  fs.unlinkSync(file)
  fs.mkdirSync(file)
  const { left } = repair(directory)
  t.is(left.length, 1)
  t.regex(left[0]!, /000000000004\.segment/)
})

test('without room in quarantine nothing is cut', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const last = segmentsOf(directory)[9]!
  fs.appendFileSync(last, Buffer.alloc(100))
  fs.writeFileSync(path.join(directory, 'quarantine'), 'in the way')
  t.throws(() => repair(directory))
  t.is(fs.statSync(last).size, 3524)
})

test('a daemon that starts on a segment with a damaged header keeps its bytes, the last one too', async (t) => {
  for (const at of [3, 9]) {
    const directory = temporary(t)
    await makeSpool(directory)
    flip(segmentsOf(directory)[at]!, 20)
    // Without the document every segment is read anew.
    fs.unlinkSync(path.join(directory, 'streams'))
    const bytes = fs.readFileSync(segmentsOf(directory)[at]!)
    await openSpool(directory).close()
    t.deepEqual(keptBytes(directory), [bytes])
  }
})
