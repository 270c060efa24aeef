// Old files of a path with a date in it: which are removed, and above all which are not.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { expiredOf } from '../../../core/destinations/dated-files.ts'
import { datedPattern } from '../../../core/destinations/dated-pattern.ts'
import { filesOption } from '../../../core/destinations/files-options.ts'
import { makeFilesDestination } from '../../../core/destinations/make-files.ts'
import { readTemplate } from '../../../core/syslog/macros.ts'
import { eventually } from '../../support/eventually.ts'
import { JumpingClock } from './foreign-world.ts'
import { linesIn, messagesOf, OutletWorld } from './outlet-world.ts'

const DAY_MS = 86_400_000

function patternOf(text: string) {
  const result = readTemplate(text)
  if (result.kind === 'malformed') throw new Error(text)
  return datedPattern(result.template)
}

test('datedPattern() knows what its path can make, and the series it is of', (t) => {
  const pattern = patternOf('/log/$HOST/$YEAR-$MONTH/$PROGRAM.$DAY.log')
  t.is(pattern.base, '/log')
  t.is(pattern.depth, 3)
  t.is(pattern.match('web01', 0), '["web01"]')
  t.is(pattern.match('..', 0), undefined)
  t.is(pattern.match('2026-11', 1), '[]')
  for (const other of ['2026-1', '20261-11', 'x2026-11', '2026-11.old', '202a-11']) t.is(pattern.match(other, 1), undefined, other)
  t.is(pattern.match('cron.25.log', 2), '["cron"]')
  for (const rotated of ['.20261125T031207Z', '.20261125T031207Z-0001', '.20261125T031207Z.zst', '.20261125T031207Z-0002.gz'])
    t.is(pattern.match(`cron.25.log${rotated}`, 2), '["cron"]', rotated)
  for (const other of ['cron.25.log.1', 'cron.25xlog', 'cron.2.log', 'cron.25.log.bak', 'cron.25.log.20261125T031207Z.xz', '.25.log'])
    t.is(pattern.match(other, 2), undefined, other)
})

test('expiredOf(): too many, too old, too large, by the last write', (t) => {
  const files = [5, 1, 4, 2, 3].map((day) => ({ bytes: 10, writtenMs: day * DAY_MS }))
  const days = (options: Parameters<typeof expiredOf>[1]) =>
    expiredOf(files, options, 6 * DAY_MS).map(({ writtenMs }) => writtenMs / DAY_MS)
  t.deepEqual(days({ keep: 2 }), [3, 2, 1])
  t.deepEqual(days({ keep_for: 3 * DAY_MS }), [2, 1])
  t.deepEqual(days({ keep_size: 35 }), [2, 1])
  t.deepEqual(days({ keep: 4, keep_for: 2 * DAY_MS }), [3, 2, 1])
  t.deepEqual(days({ keep: 9 }), [])
})

test('dated files: old ones go with their empty folders; what is foreign, linked, young or open stays', async (t) => {
  const world = new OutletWorld(t, [])
  const clock = new JumpingClock()
  const log = path.join(world.directory, 'log')
  const nowMs = clock.wallUs() / 1000
  const old = (name: string, days: number) => {
    const file = path.join(log, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, 'old\n')
    fs.utimesSync(file, (nowMs - days * DAY_MS) / 1000, (nowMs - days * DAY_MS) / 1000)
    return file
  }
  const host = 'web01.example.com'
  const gone = [
    old(`${host}/2020/01/01/messages`, 40),
    old(`${host}/2020/01/02/messages.20200102T000000Z.zst`, 31),
    old('web02/2020/01/01/messages', 35),
  ]
  const kept = [
    old(`${host}/2020/01/03/messages`, 29),
    old(`${host}/2020/01/02/notes`, 400),
    old(`${host}/2020/01/messages`, 400),
    old(`${host}/latest/messages`, 400),
    old('README', 400),
    old('web03/2020/01/01/messages/deeper', 400),
  ]
  // A link that leads to an old file elsewhere, and a folder that is one.
  const outside = old('../outside/01/messages', 400)
  fs.symlinkSync(path.dirname(path.dirname(outside)), path.join(log, 'web02/2020/02'))
  fs.symlinkSync(outside, path.join(log, `${host}/2020/01/03/messages.20200103T000000Z`))
  // An old file that gets a line now.
  const open = old(`${host}/2026/01/01/messages`, 400)
  const options = filesOption.parse({ files: path.join(log, '$HOST/$YEAR/$MONTH/$DAY/messages'), zone: 'UTC', expire: { keep_for: '30d' } })
  const { spool } = world.opened
  const destination = makeFilesDestination(options, {
    spool,
    records: world.records,
    log: world.log,
    metrics: world.metrics,
    clock,
    openFilesLimit: 16,
  })
  destination.start()
  await world.store(messagesOf(3))
  await eventually('the old ones to go', () => world.told('files-expired').length > 0)
  t.deepEqual(world.told('files-expired'), [`Removed 3 old files below ${log}`])
  for (const file of gone) t.false(fs.existsSync(file), file)
  for (const file of [...kept, outside]) t.true(fs.existsSync(file), file)
  t.false(fs.existsSync(path.join(log, `${host}/2020/01/01`)))
  t.false(fs.existsSync(path.join(log, 'web02/2020/01')))
  t.true(fs.lstatSync(path.join(log, 'web02/2020/02')).isSymbolicLink())
  await eventually('the lines', () => linesIn(open).length === 4)
  // Not before an hour has passed; then what was not in use any more goes too.
  fs.utimesSync(kept[0]!, 0, 0)
  await world.store(messagesOf(3, 3))
  await eventually('those lines', () => linesIn(open).length === 7)
  await spool.checkpoint()
  t.true(fs.existsSync(kept[0]!))
  clock.aheadMs += 3_700_000
  await world.store(messagesOf(1, 6))
  await eventually('the next time', async () => {
    await spool.checkpoint()
    return !fs.existsSync(kept[0]!)
  })
  await destination.stop(AbortSignal.timeout(10_000))
  await world.closeSpool()
  destination.close()
  t.is(linesIn(open).length, 8)
})

test('latest: a link to the file that was begun last, for each host; only a link is replaced, and late lines do not turn it back', async (t) => {
  const world = new OutletWorld(t, [])
  const log = path.join(world.directory, 'log')
  const folder = path.join(log, 'web01.example.com')
  const options = filesOption.parse({ files: path.join(log, '$HOST/$YEAR/$MONTH/$DAY/messages'), zone: 'UTC', latest: 'latest' })
  const { spool } = world.opened
  const clock = new JumpingClock()
  const destination = makeFilesDestination(options, {
    spool,
    records: world.records,
    log: world.log,
    metrics: world.metrics,
    clock,
    openFilesLimit: 16,
  })
  destination.start()
  const link = path.join(folder, 'latest')
  const store = async (day: string) => {
    await world.store([`<13>1 2026-01-${day}T12:00:00Z web01 app - - - day ${day}`])
    await eventually(
      'the line',
      () => destination.status()['lag_bytes'] === 0 && fs.existsSync(path.join(folder, `2026/01/${day}/messages`)),
    )
  }
  await store('01')
  t.is(fs.readlinkSync(link), '2026/01/01/messages')
  // What a crash has left behind does not matter.
  fs.symlinkSync('nowhere', path.join(folder, '.latest.partial'))
  await store('02')
  t.is(fs.readlinkSync(link), '2026/01/02/messages')
  t.deepEqual(linesIn(link), ['2026-01-02T12:00:00Z web01.example.com app: day 02'])
  await store('01')
  t.is(fs.readlinkSync(link), '2026/01/02/messages')
  // A link that leads elsewhere is put right without writing there.
  fs.writeFileSync(world.file('mine'), 'mine')
  fs.unlinkSync(link)
  fs.symlinkSync(world.file('mine'), link)
  await store('03')
  t.is(fs.readlinkSync(link), '2026/01/03/messages')
  t.is(fs.readFileSync(world.file('mine'), 'utf8'), 'mine')
  fs.unlinkSync(link)
  fs.writeFileSync(link, 'mine too')
  await store('04')
  t.is(fs.readFileSync(link, 'utf8'), 'mine too')
  t.regex(world.told('latest-failed').join(), /what stands there is no link, and is left alone/)
  t.deepEqual(fs.readdirSync(folder).sort(), ['2026', 'latest'])
  await destination.stop(AbortSignal.timeout(10_000))
  await world.closeSpool()
  destination.close()
})

for (const [text, fault] of [
  ['{ files: /log/$HOST/messages, latest: latest }', /the path has no date in it/],
  ['{ files: /log/$YEAR/messages, latest: "2026" }', /can make a file or folder of that name/],
  ['{ files: /log/$PROGRAM.$YEAR, latest: "cron.2026" }', /can make a file or folder of that name/],
  ['{ files: /log/$YEAR/messages, latest: ../latest }', /not one component/],
  ['{ files: /log/$YEAR/messages, latest: ".." }', /not one component/],
  ['{ files: /log/$HOST/messages, expire: { keep: 5 } }', /the path has no date in it/],
  ['{ files: /log/$YEAR/messages, expire: {} }', /it keeps everything/],
  ['{ files: /log/$YEAR/messages, expire: { keep: 0 } }', /keep/],
] as const) {
  test(`refused: ${text}`, (t) => {
    const result = filesOption.safeParse(parse(text))
    t.false(result.success)
    t.regex(JSON.stringify(result.error?.issues), fault)
  })
}
