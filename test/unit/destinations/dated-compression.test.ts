// Files of a path with a date, compressed when their day is over: what comes late for them, what a crash leaves, and what is not touched.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import test from 'ava'
import { parse } from 'yaml'
import { overOf } from '../../../core/destinations/dated-closing.ts'
import { filesOption } from '../../../core/destinations/files-options.ts'
import { makeFilesDestination } from '../../../core/destinations/make-files.ts'
import { eventually } from '../../support/eventually.ts'
import { killedRuns } from '../../support/killed-runs.ts'
import { Random, runSeed } from '../../support/random.ts'
import { JumpingClock } from './foreign-world.ts'
import { ORIGIN, OutletWorld } from './outlet-world.ts'

const PROCESS = path.join(import.meta.dirname, '../../support/dated-process.ts')
const DAY_MS = 86_400_000

/** Both of its clocks go forward. */
class AheadClock extends JumpingClock {
  override wallUs(): number {
    return super.wallUs() + this.aheadMs * 1000
  }
}

function unpacked(file: string): string {
  const bytes = fs.readFileSync(file)
  return (file.endsWith('.gz') ? gunzipSync(bytes) : file.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString()
}

/** The lines of all files of one folder, closed ones first, in the order of their names. */
function linesOfDay(folder: string): string[] {
  const names = fs.readdirSync(folder).filter((name) => !name.endsWith('.partial'))
  const stamp = (name: string) => (name === 'messages' ? '~' : name.replace(/\.(gz|zst)$/, ''))
  return names
    .sort((a, b) => (stamp(a) < stamp(b) ? -1 : 1))
    .flatMap((name) => unpacked(path.join(folder, name)).split('\n').slice(0, -1))
    .map((line) => /app: (.*?)(?: x+)?$/.exec(line)![1]!)
}

function messagesOf(day: string, texts: readonly string[]): string[] {
  return texts.map((text) => `<13>1 2026-01-${day}T12:00:00Z web01 app - - - ${text}`)
}

class DatedWorld {
  readonly world: OutletWorld
  readonly clock = new AheadClock()
  readonly log: string
  #destination: ReturnType<typeof makeFilesDestination> | undefined

  constructor(t: ConstructorParameters<typeof OutletWorld>[0]) {
    this.world = new OutletWorld(t, [])
    this.log = path.join(this.world.directory, 'log', ORIGIN)
    t.teardown(() => this.stop())
  }

  start(options: object): void {
    const { world, clock } = this
    const files = path.join(world.directory, 'log/$HOST/$DAY/messages')
    const { spool } = world.opened
    const { records, log, metrics } = world
    this.#destination = makeFilesDestination(filesOption.parse({ files, zone: 'UTC', ...options }), {
      spool,
      records,
      log,
      metrics,
      clock,
      openFilesLimit: 16,
    })
    this.#destination.start()
  }

  async stop(): Promise<void> {
    const destination = this.#destination
    if (destination === undefined) return
    this.#destination = undefined
    await destination.stop(AbortSignal.timeout(10_000))
    await this.world.closeSpool()
    destination.close()
  }

  async store(day: string, texts: readonly string[]): Promise<void> {
    await this.world.store(messagesOf(day, texts))
    await eventually('the lines', () => this.#destination!.status()['lag_bytes'] === 0)
  }

  /** Some days later a line of another day comes. */
  async later(day: string, what: string, holds: () => boolean): Promise<void> {
    this.clock.aheadMs += 2 * DAY_MS
    let count = 0
    await eventually(what, async () => {
      // They are looked through once an hour.
      this.clock.aheadMs += 3_700_000
      await this.store(day, [`later ${count++}`])
      await this.world.opened.spool.checkpoint()
      return holds()
    })
  }

  folder(day: string): string {
    return path.join(this.log, day)
  }

  names(day: string): string[] {
    return fs.existsSync(this.folder(day)) ? fs.readdirSync(this.folder(day)).sort() : []
  }
}

test('overOf(): written to last in an earlier period, and neither the last one nor the one that was begun last', (t) => {
  const at = (hours: number) => hours * 3_600_000
  const file = (writtenMs: number, bornMs: number) => ({ writtenMs, bornMs })
  const over = (files: ReturnType<typeof file>[], nowMs: number, zoneMinutes = 0, every: 'day' | 'hour' = 'day') =>
    overOf(files, { every, minutesAt: () => zoneMinutes }, nowMs).map((one) => files.indexOf(one))
  const files = [file(at(20), at(1)), file(at(23), at(2)), file(at(25), at(4)), file(at(26), at(3))]
  t.deepEqual(over(files, at(27)), [0, 1])
  t.deepEqual(over(files, at(27), 60), [0])
  t.deepEqual(over(files, at(49)), [0, 1])
  t.deepEqual(over(files, at(25), 0, 'hour'), [0, 1])
  t.deepEqual(over(files, at(23.5)), [])
  t.deepEqual(over([file(at(1), at(1))], at(500)), [])
  t.deepEqual(over([], at(500)), [])
})

test('a day that is over is compressed; late lines stand once, in a file of their own, that is compressed later; also across a stop', async (t) => {
  const dated = new DatedWorld(t)
  dated.start({ compress: 'zstd', latest: 'latest', file_mode: '0604' })
  await dated.store('01', ['a', 'b'])
  await dated.store('02', ['c'])
  const plain = fs.statSync(path.join(dated.folder('01'), 'messages'))
  await dated.later('03', 'the first day to be packed', () => /^messages\.\d{8}T\d{6}Z\.zst$/.test(dated.names('01').join()))
  const [packed] = dated.names('01')
  const stat = fs.statSync(path.join(dated.folder('01'), packed!))
  t.is(stat.mode & 0o777, 0o604)
  t.is(Math.floor(stat.mtimeMs), Math.floor(plain.mtimeMs))
  t.deepEqual(linesOfDay(dated.folder('01')), ['a', 'b'])
  await dated.later('03', 'the second one', () => /^messages\.\S+\.zst$/.test(dated.names('02').join()))
  t.is(fs.readlinkSync(path.join(dated.log, 'latest')), '03/messages')
  // While lines come it stays, whatever the day.
  const before = fs.readFileSync(path.join(dated.folder('01'), packed!))
  await dated.store('01', ['late 1'])
  // It is neither the last one that was begun nor the last one that is written to.
  await dated.store('05', ['elsewhere'])
  dated.clock.aheadMs += 3_700_000
  await dated.store('01', ['late 2'])
  await dated.store('05', ['elsewhere'])
  await dated.world.opened.spool.checkpoint()
  await dated.store('01', ['late 3'])
  await dated.world.opened.spool.checkpoint()
  t.deepEqual(dated.names('01'), ['messages', packed!])
  // What the process before had open is nobody's any more once all is read.
  await dated.stop()
  dated.world.open()
  dated.start({ compress: 'gzip' })
  await dated.later('04', 'the late lines to be packed', () => {
    const names = dated.names('01')
    return names.length === 2 && names.includes(packed!) && names.some((name) => name.endsWith('.gz'))
  })
  t.deepEqual(linesOfDay(dated.folder('01')), ['a', 'b', 'late 1', 'late 2', 'late 3'])
  t.deepEqual(fs.readFileSync(path.join(dated.folder('01'), packed!)), before)
  t.deepEqual(dated.world.told('rotation-failed').concat(dated.world.told('expire-failed'), dated.world.told('foreign-bytes')), [])
})

test('what a crash leaves while compressing: a part, or both files, becomes one packed file', async (t) => {
  const dated = new DatedWorld(t)
  const write = (day: string, name: string, bytes: string | Buffer) => {
    fs.mkdirSync(dated.folder(day), { recursive: true })
    fs.writeFileSync(path.join(dated.folder(day), name), bytes)
  }
  const text = '2026-01-05T12:00:00Z web01.example.com app: kept\n'
  // Renamed, and nothing more; a part; whole, and the plain one not yet removed; all of it done.
  write('05', 'messages.20260105T120000Z', text)
  write('06', 'messages.20260106T120000Z', text)
  write('06', 'messages.20260106T120000Z.gz.partial', gzipSync(text).subarray(0, 9))
  write('07', 'messages.20260107T120000Z', text)
  write('07', 'messages.20260107T120000Z.gz', gzipSync(text))
  write('08', 'messages.20260108T120000Z.zst', zstdCompressSync(text))
  // Not ours: no file that the path makes.
  write('09', 'messages.old', text)
  write('09', 'notes.20260109T120000Z', text)
  dated.start({ compress: 'gzip' })
  await dated.later('10', 'all of them', () => ['05', '06', '07'].every((day) => /^messages\.\d+T\d+Z\.gz$/.test(dated.names(day).join())))
  for (const day of ['05', '06', '07', '08']) t.deepEqual(linesOfDay(dated.folder(day)), ['kept'], day)
  t.deepEqual(dated.names('08'), ['messages.20260108T120000Z.zst'])
  t.deepEqual(dated.names('09'), ['messages.old', 'notes.20260109T120000Z'])
})

for (const compress of ['zstd', 'gzip']) {
  test.serial(
    `kill -9 while files of other days are compressed and written to again (${compress}): each line once, in order`,
    async (t) => {
      const seed = runSeed()
      t.log(`LOGHOP_SEED=${seed}`)
      const random = new Random(seed)
      const world = new OutletWorld(t, ['files-test'])
      const wanted = new Map<string, string[]>()
      // So that there are many chunks, and checkpoints between them.
      const padding = ` ${'x'.repeat(4000)}`
      for (let batch = 0; batch < 120; batch++) {
        const day = String(random.int(1, 6)).padStart(2, '0')
        const texts = Array.from({ length: 60 }, (_, at) => `line ${batch}-${at}`)
        wanted.set(day, [...(wanted.get(day) ?? []), ...texts])
        await world.store(
          messagesOf(day, texts).map((text) => text + padding),
          batch % 7 === 0,
        )
      }
      await world.closeSpool()
      const killAfterMs = (run: number): number | undefined => (run < 10 ? random.int(0, 200) : undefined)
      const kills = await killedRuns(
        t,
        PROCESS,
        [world.directory, compress],
        killAfterMs,
        /foreign-bytes|rotation-failed|expire-failed|files-failed/,
      )
      const log = path.join(world.directory, 'log', ORIGIN)
      const names = fs.readdirSync(log).flatMap((day) => fs.readdirSync(path.join(log, day)))
      t.log(`${kills} kills, ${names.length} files`)
      t.true(names.filter((name) => /Z(-\d+)?\.(zst|gz)$/.test(name)).length > 4, names.join(' '))
      for (const [day, lines] of wanted) t.deepEqual(linesOfDay(path.join(log, `2026-01-${day}`)), lines, day)
    },
  )
}

for (const [text, fault] of [
  ['{ files: /log/$HOST/messages, compress: zstd }', /the path has no date in it/],
  ['{ files: /log/$YEAR, compress: xz }', /compress/],
  ['{ files: /log/$YEAR, compress: gzip, rotate: { size: 1MiB } }', /rotate has compress: zstd; give both the same/],
] as const)
  test(`refused: ${text}`, (t) => {
    const result = filesOption.safeParse(parse(text))
    t.false(result.success)
    t.regex(JSON.stringify(result.error?.issues), fault)
  })

test('compress beside rotate is taken where both say the same', (t) => {
  t.true(filesOption.safeParse(parse('{ files: /log/$YEAR, compress: zstd, rotate: { size: 1MiB } }')).success)
})
