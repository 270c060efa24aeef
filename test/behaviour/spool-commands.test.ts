import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { writeDocument } from '../../core/base/checked-document.ts'
import { nodeFiles } from '../../core/base/files.ts'
import { destinationName } from '../../core/destinations/destination-name.ts'
import { CODEC_ZSTD, encodeEnvelope, readRecord } from '../../core/spool/batch.ts'
import { SEGMENT_HEADER_BYTES } from '../../core/spool/constants.ts'
import { Chain } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { sendOne } from '../support/send-one.ts'
import {
  append,
  flip,
  HOST,
  makeSpool,
  message,
  openSpool,
  recordsOf,
  START_US,
  segmentsOf,
  temporary,
} from '../unit/spool/inspect-made.ts'

const ENTRY = fileURLToPath(new URL('../../cli/loghop.js', import.meta.url))

/** The messages of a file with octet counting, RFC 6587, 3.4.1. */
function octetCounted(file: string): string[] {
  const bytes = fs.readFileSync(file)
  const messages: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(' ', at)
    const end = space + 1 + Number(bytes.toString('latin1', at, space))
    messages.push(bytes.toString('utf8', space + 1, end))
    at = end
  }
  return messages
}

function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1)
}

test.serial('beside a running agent whose relay is down: listed, verified, printed and exported, not repaired', async (t) => {
  const chain = await Chain.start(t)
  sendOne(chain, 'delivered')
  await chain.lines(1)
  await chain.relay.end('SIGTERM')
  for (let number = 1; number <= 20; number++) sendOne(chain, `waiting ${number}`)
  const spool = chain.place('agent-spool')
  const shown = await eventually('20 messages in the spool', async () => {
    const { stdout } = await loghop('spool', 'cat', spool)
    return stdout.includes('waiting 20') ? stdout : undefined
  })
  t.regex(shown, / web01\.example\.com test\[\d+\]: delivered\n(.*waiting \d+\n){20}/)

  const list = await eventually('the first checkpoint', async () => {
    const listed = await loghop('spool', 'ls', spool, '--config', chain.agentConfig)
    return listed.stdout.includes('cursor       none') ? undefined : listed
  })
  t.is(list.code, 0, list.stderr)
  t.regex(list.stdout, /agent-spool: open in a running process\n/)
  t.regex(list.stdout, /\ncursor {7}uplink at 1:\d+, [1-9]\d* bytes behind\n/)
  const verified = await loghop('spool', 'verify', spool)
  t.is(verified.code, 0, verified.stdout)
  t.regex(verified.stdout, /^sound: 1 segment, \d+ records, 2\d messages of 1 stream\n$/)
  const repaired = await loghop('spool', 'repair', spool)
  t.is(repaired.code, 1)
  t.regex(repaired.stderr, /a running process has it open\n {2}Stop that one first/)
  t.is((await loghop('spool', 'repair', spool, '--dry-run')).code, 1)

  const file = chain.place('saved.log')
  const saved = await loghop('spool', 'export', spool, file)
  t.is(saved.code, 0, saved.stderr)
  const messages = octetCounted(file)
  t.is(messages.length, 20)
  t.regex(messages[0]!, /^<13>1 \S+ web01\.example\.com test \d+ - (-|\[.*\]) waiting 1$/)

  // Looking at it has hindered nobody.
  await chain.startRelay()
  await chain.lines(21)
  await eventually('the cursor at the end', async () => (await loghop('spool', 'ls', spool)).stdout.includes(', 0 bytes behind'))
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  t.regex((await loghop('spool', 'ls', spool)).stdout, /agent-spool: closed cleanly\n/)
  t.is((await loghop('spool', 'repair', spool)).stdout, 'nothing to repair\n')
  await chain.relay.end('SIGTERM')
  t.is((await loghop('spool', 'verify', chain.place('relay-spool'))).code, 0)
})

test.serial('a relay finds its destinations by its configuration, and a destination that was taken out', async (t) => {
  const chain = await Chain.make(t)
  const forward = { forward: ['127.0.0.1:1', '[::1]:2'] }
  chain.relayOptions['destinations'] = [...(chain.relayOptions['destinations'] as object[]), forward]
  await chain.startRelay()
  await chain.relay.end('SIGTERM')
  const spool = chain.place('relay-spool')
  const names = [destinationName('files', path.join(chain.logs, '$HOST/messages')), destinationName('forward', '127.0.0.1:1,[::1]:2')]
  const known = JSON.parse((await loghop('spool', 'ls', spool, '--json', '--config', chain.relayConfig)).stdout)
  t.deepEqual(
    known.cursors.map((cursor: { name: string; orphaned?: string }) => [cursor.name, cursor.orphaned]),
    names.map((name) => [name, undefined]),
  )
  chain.relayOptions['destinations'] = [forward]
  const { stdout } = await loghop('spool', 'ls', spool, '--config', chain.relayConfig)
  t.deepEqual(
    linesOf(stdout)
      .filter((line) => line.includes('ORPHANED'))
      .map((line) => line.split(/ +/)[1]),
    [names[0]],
  )
  const other = await loghop('spool', 'ls', spool, '--config', chain.agentConfig)
  t.is(other.code, 64)
  t.regex(other.stderr, /its spool is .*agent-spool\n/)
})

test('ls: what has stood still for long and is behind is orphaned; the JSON has everything', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory, 3)
  const cursor = path.join(directory, 'cursors/uplink.cursor')
  const old = new Date(Date.now() - 9 * 86_400_000)
  fs.utimesSync(cursor, old, old)
  t.regex((await loghop('spool', 'ls', directory)).stdout, /uplink at 1:\d+, \d+ bytes behind, ORPHANED: it has not moved for 9 days/)
  t.notRegex((await loghop('spool', 'ls', directory, '--older', '10')).stdout, /ORPHANED/)
  fs.mkdirSync(path.join(directory, 'quarantine'))
  fs.writeFileSync(path.join(directory, 'quarantine/000000000001-64-70'), '123456')
  const listed = JSON.parse((await loghop('spool', 'ls', directory, '--json')).stdout)
  t.is(listed.segments.length, 10)
  t.deepEqual(
    listed.segments.map(({ number, records, messages, badBytes }: Record<string, unknown>) => [number, records, messages, badBytes]),
    Array.from({ length: 10 }, (_, index) => [index + 1, 4, 20, 0]),
  )
  t.is(listed.segments[0].firstUs, START_US)
  t.is(listed.streams, 1)
  t.regex(listed.id, /^[0-9a-f]{32}$/)
  t.is(listed.quarantine[0].bytes, 6)
})

test('ls: damage is shown, and a cursor that has everything is never orphaned', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory, 40)
  const cursor = path.join(directory, 'cursors/uplink.cursor')
  fs.utimesSync(cursor, 0, 0)
  t.notRegex((await loghop('spool', 'ls', directory)).stdout, /ORPHANED/)
  const segment = segmentsOf(directory).at(-1)!
  fs.appendFileSync(segment, 'garbage')
  for (const file of ['state', 'streams', 'cursors/uplink.cursor']) fs.writeFileSync(path.join(directory, file), 'x')
  const { stdout, code } = await loghop('spool', 'ls', directory)
  t.is(code, 0)
  t.is(stdout.match(/DAMAGED/g)?.length, 3)
  t.regex(stdout, /segment {6}10: \d+ bytes, 4 records, 20 messages, .*, 7 bytes are NO RECORD/)
})

test('ls of a directory that holds spools shows those that nothing has open', async (t) => {
  const parent = temporary(t)
  await makeSpool(path.join(parent, 'old'), 3)
  fs.writeFileSync(path.join(parent, 'a file'), '')
  const { stdout } = await loghop('spool', 'ls', parent)
  t.regex(stdout, /^orphaned {5}.*\/old: \d+\.\dKiB, of which [1-9]\d*\.\dKiB are not delivered\n/)
  const empty = path.join(parent, 'empty')
  fs.mkdirSync(empty)
  const { code, stderr } = await loghop('spool', 'ls', empty)
  t.is(code, 1)
  t.regex(stderr, /it is no spool, and none stands in it\n {2}Name the directory/)
})

test('cat: text, raw bytes, filters and places', async (t) => {
  const directory = temporary(t)
  const spool = openSpool(directory)
  spool.attach('uplink', false)
  append(spool, [message(1), message(2)])
  append(spool, ['<13>1 - other.example.com app - - - without time'], { origin: 'db01.example.com' })
  append(spool, [message(3, 'line\nfeed \u001b[2J'), message(4)], { codec: CODEC_ZSTD })
  await spool.close()
  const cat = async (...args: string[]): Promise<string[]> => {
    const { stdout, code, stderr } = await loghop('spool', 'cat', directory, ...args)
    t.is(code, 0, stderr)
    return linesOf(stdout)
  }
  const line = (number: number, text = ''): string => `2026-01-01T00:00:0${number}.000Z ${HOST} app: ${number} ${text}`
  const other = '- db01.example.com/other.example.com app: without time'
  const all = [line(1), line(2), other, line(3, 'line#012feed #033[2J'), line(4)]
  t.deepEqual(await cat(), all)
  t.deepEqual(await cat('--host', 'DB01.example.com'), [other])
  // Without a time of its own a message is taken by that of receipt, 00:00:00.
  t.deepEqual(await cat('--since', '2026-01-01T00:00:02Z'), [all[1], all[3], all[4]])
  t.deepEqual(await cat('--until', '2026-01-01T01:00:03+01:00'), all.slice(0, 3))
  t.deepEqual(await cat('--since', '2026-01-01T00:00:02Z', '--until', '2026-01-01T00:00:03Z'), [all[1]])
  const [, second] = recordsOf(segmentsOf(directory)[0]!)
  t.deepEqual(await cat('--after', `1:${second![0]}`), all.slice(2))
  t.deepEqual(await cat('--from-cursor', 'uplink'), all)
  t.deepEqual(await cat('--raw', '--host', HOST), [message(1), message(2), ...message(3, 'line\nfeed \u001b[2J').split('\n'), message(4)])
})

test('cat: what is no record is told, the rest is printed, and the exit code says that it is not all', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const file = segmentsOf(directory)[2]!
  flip(file, recordsOf(file)[1]![0] + 300)
  const { stdout, stderr, code } = await loghop('spool', 'cat', directory)
  t.is(linesOf(stdout).length, 195)
  t.regex(stderr, /^loghop: .*000000000003\.segment at \d+: \d+ bytes are no record \(checksum of the batch\), passed over\n$/)
  t.is(code, 1)
  const amid = await loghop('spool', 'cat', directory, '--after', '1:100')
  t.regex(amid.stderr, /No record starts at 1:100; \d+ bytes are passed over/)
})

test('cat and export: of a batch of which a part came before, only the rest', async (t) => {
  const [source, directory] = [temporary(t), temporary(t)]
  const from = openSpool(source)
  append(from, [message(1), message(2), message(3)])
  await from.close()
  const bytes = fs.readFileSync(segmentsOf(source)[0]!)
  const result = readRecord(bytes, SEGMENT_HEADER_BYTES, bytes.length)
  if (result.kind !== 'record') throw new Error('No record')
  const batch = bytes.subarray(result.head.batchStart, result.head.end)
  const record = Buffer.concat([encodeEnvelope(batch.length, { skip: 1, take: 1 }, [], 1), batch])
  const part = readRecord(record, 0, record.length)
  if (part.kind !== 'record') throw new Error('No record')
  const spool = openSpool(directory)
  spool.appendReceived(record, part.head, [])
  await spool.close()
  t.is((await loghop('spool', 'cat', directory, '--raw')).stdout, `${message(2)}\n`)
  t.is((await loghop('spool', 'export', directory, path.join(directory, 'out'))).code, 0)
  t.deepEqual(octetCounted(path.join(directory, 'out')), [message(2)])
})

test('cat: a torn end is told, and no failure: nobody was told that it is stored', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  fs.truncateSync(segmentsOf(directory)[9]!, 3400)
  const { stdout, stderr, code } = await loghop('spool', 'cat', directory)
  t.is(linesOf(stdout).length, 195)
  t.regex(stderr, /the last 816 bytes are no whole record/)
  t.is(code, 0)
})

for (const command of ['cat', 'verify', 'ls']) {
  test(`${command} ends quietly when nobody reads any more`, async (t) => {
    const directory = temporary(t)
    await makeSpool(directory, 0, 4000)
    const child = spawn(process.execPath, [ENTRY, 'spool', command, directory], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    if (command === 'cat') child.stdout.once('data', () => child.stdout.destroy())
    else child.stdout.destroy()
    const code = await new Promise((resolve) => child.once('close', resolve))
    t.is(said, '')
    t.is(code, 0)
  })
}

test('export: octet counting keeps every byte, lines keep every message on its line', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory, 3)
  const spool = openSpool(directory)
  // Without its destination all that is kept would be freed.
  spool.attach('uplink', false)
  const odd = message(201, 'two\nlines and a \0')
  append(spool, [odd])
  await spool.close()
  const place = (name: string): string => path.join(directory, name)
  t.regex(
    (await loghop('spool', 'export', directory, place('a'))).stdout,
    /^Wrote 186 messages, \d+ bytes, to .* \(octet-counted\), from 1:\d+ on\n$/,
  )
  t.is(octetCounted(place('a')).at(-1), odd)
  t.is(octetCounted(place('a'))[0], message(16, 'x'.repeat(80)))
  t.is(fs.statSync(place('a')).mode & 0o777, 0o600)
  const lines = await loghop('spool', 'export', directory, place('b'), '--all', '--format', 'lines')
  t.regex(lines.stdout, /\nA line feed or NUL was written as #012 or #000 in 1 message;/)
  const written = linesOf(fs.readFileSync(place('b'), 'utf8'))
  t.is(written.length, 201)
  t.is(written.at(-1), message(201, 'two#012lines and a #000'))
  // It holds what somebody may need: never written over, never left half.
  const before = fs.readFileSync(place('a'))
  const again = await loghop('spool', 'export', directory, place('a'))
  t.is(again.code, 1)
  t.regex(again.stderr, /there is such a file already\n {2}Give the name of a new file/)
  t.deepEqual(fs.readFileSync(place('a')), before)
  t.is((await loghop('spool', 'export', directory, place('c'), '--format', 'xml')).code, 64)
  t.is((await loghop('spool', 'export', directory, place('no/such/d'))).code, 1)
  t.false(fs.existsSync(place('c')))
})

test('export: of a damaged spool the rest is written, and the exit code says that it is not all', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  fs.unlinkSync(segmentsOf(directory)[4]!)
  const { code, stderr } = await loghop('spool', 'export', directory, path.join(directory, 'a'))
  t.is(code, 1)
  t.regex(stderr, /Segment 5 is missing\nloghop: the export is not complete, see above\n$/)
  t.is(octetCounted(path.join(directory, 'a')).length, 180)
})

test('verify names each place, repair mends it, and verify is content', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory, 3)
  flip(segmentsOf(directory)[2]!, recordsOf(segmentsOf(directory)[2]!)[1]![0] + 300)
  fs.appendFileSync(segmentsOf(directory)[9]!, Buffer.alloc(99))
  const found = await loghop('spool', 'verify', directory)
  t.is(found.code, 1)
  const lines = linesOf(found.stdout)
  t.regex(lines[0]!, /^DAMAGED {2}\S+000000000003\.segment, offset \d+, \d+ bytes: checksum of the batch\. Stop the daemon and run/)
  t.true(lines.some((line) => /000000000010\.segment, offset 3424, 99 bytes: the end is zeros/.test(line)))
  t.is(lines.at(-1), 'DAMAGED, 2 findings: 10 segments, 39 records, 195 messages of 1 stream')
  const json = linesOf((await loghop('spool', 'verify', directory, '--json')).stdout).map((line) => JSON.parse(line))
  t.is(json.filter((line) => 'damage' in line).length, 2)
  t.is(json.at(-1).damaged, 2)

  const dry = await loghop('spool', 'repair', directory, '--dry-run')
  t.is(dry.code, 0, dry.stderr)
  t.is(linesOf(dry.stdout).filter((line) => line.startsWith('would ')).length, 2)
  t.false(fs.existsSync(path.join(directory, 'quarantine')))
  const done = await loghop('spool', 'repair', directory)
  t.is(done.code, 0, done.stderr)
  t.regex(done.stdout, /^done: copy .*\ndone: cut 99 bytes .*\n2 things done; check it with: loghop spool verify /)
  const after = await loghop('spool', 'verify', directory)
  t.is(after.code, 0, after.stdout)
  t.regex(after.stdout, /\nsound: 10 segments, 39 records, 195 messages/)
})

test('an agent goes on with a spool that was repaired', async (t) => {
  const chain = await Chain.start(t)
  sendOne(chain, 'before')
  await chain.lines(1)
  await chain.relay.end('SIGTERM')
  sendOne(chain, 'waits')
  const spool = chain.place('agent-spool')
  await eventually('the message in the spool', async () => (await loghop('spool', 'cat', spool)).stdout.includes('waits'))
  await chain.agent.end('SIGKILL')
  fs.appendFileSync(segmentsOf(spool)[0]!, Buffer.alloc(50))
  for (const file of ['state', 'streams']) fs.writeFileSync(path.join(spool, file), 'x')
  t.is((await loghop('spool', 'repair', spool)).code, 0)
  await chain.startRelay()
  await chain.startAgent()
  sendOne(chain, 'after')
  const lines = await chain.lines(3)
  t.deepEqual(
    lines.map((line) => line.replace(/^.*test\[\d+\]: /, '')),
    ['before', 'waits', 'after'],
  )
  t.notRegex(chain.agent.said, /spool-finding/)
})

test('wrong inputs are explained', async (t) => {
  const directory = temporary(t)
  const spool = path.join(directory, 'spool')
  await makeSpool(spool)
  const file = path.join(directory, 'file')
  fs.writeFileSync(file, '')
  const cases: ReadonlyArray<readonly [code: number, pattern: RegExp, ...args: string[]]> = [
    [1, /Cannot read .*none: it is not there\n {2}Check the path/, 'verify', path.join(directory, 'none')],
    [1, /Cannot read .*file: it is not a directory\n/, 'ls', file],
    [1, /Cannot read .*file: it is not a directory\n/, 'repair', file],
    [1, /is no spool: it has no directory "segments"\n/, 'cat', directory],
    [1, /is no spool/, 'export', directory, path.join(directory, 'out')],
    [64, /it is no ISO 8601 time\n/, 'cat', spool, '--since', 'yesterday'],
    [64, /it is no ISO 8601 time\n/, 'cat', spool, '--until', '2026-13-45'],
    [64, /it is not SEGMENT:OFFSET\n/, 'cat', spool, '--after', '12'],
    [64, /the spool ends at 10:3424\n/, 'cat', spool, '--after', '11:64'],
    [64, /there is none of that name\n {2}It has uplink\n/, 'cat', spool, '--from-cursor', 'nobody'],
    [64, /both --after and --from-cursor/, 'cat', spool, '--from-cursor', 'uplink', '--after', '1:64'],
    [64, /unknown command/, 'mend', spool],
    [64, /missing required argument/, 'verify'],
    [64, /whole number of days/, 'ls', spool, '--older', 'x'],
    [78, /there is no such file/, 'ls', spool, '--config', path.join(directory, 'none.yaml')],
  ]
  for (const [code, pattern, ...args] of cases) {
    const { stderr, stdout, ...ended } = await loghop('spool', ...args)
    t.regex(stderr, pattern)
    t.is(ended.code, code, args.join(' '))
    t.is(stdout, '')
    t.notRegex(stderr, /\n {4}at /, 'a stack trace')
  }
  writeDocument(nodeFiles, path.join(spool, 'cursors/uplink.cursor'), 'cursor', {})
  const damaged = await loghop('spool', 'cat', spool, '--from-cursor', 'uplink')
  t.regex(damaged.stderr, /Cannot start at the cursor "uplink": what it says is not what such a document says\n/)
  t.is(damaged.code, 1)
})

test('a segment that may not be read, and a named pipe in its place', async (t) => {
  const directory = temporary(t)
  await makeSpool(directory)
  const [first, second] = segmentsOf(directory)
  fs.unlinkSync(first!)
  execFileSync('mkfifo', [first!])
  fs.chmodSync(second!, 0)
  // Root may read everything.
  const unreadable = process.geteuid?.() === 0 ? 1 : 2
  const verified = await loghop('spool', 'verify', directory)
  t.is(verified.code, 1)
  t.is(verified.stdout.match(/cannot be read/g)?.length, unreadable, verified.stdout)
  const printed = await loghop('spool', 'cat', directory)
  t.is(printed.code, 1)
  t.is(linesOf(printed.stdout).length, 200 - 20 * unreadable)
  t.is((await loghop('spool', 'ls', directory)).stdout.match(/UNREADABLE/g)?.length, unreadable)
  const repaired = await loghop('spool', 'repair', directory)
  t.is(repaired.code, 1)
  t.is(repaired.stdout.match(/^LEFT/gm)?.length, unreadable)
})

test("root does not leave files of its own in another user's spool", async (t) => {
  if (process.geteuid?.() !== 0) {
    t.pass('only root could')
    return
  }
  const directory = temporary(t)
  await makeSpool(directory)
  fs.chownSync(directory, 12345, 12345)
  const { code, stderr } = await loghop('spool', 'repair', directory)
  t.is(code, 1)
  t.regex(stderr, /it belongs to the user with the id 12345.*\n {2}Run it as the owner: sudo -u '#12345'/)
})
