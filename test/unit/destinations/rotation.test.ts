// Rotation of our own, under kill -9 and with a clock that is put forward: each line stands once, over all generations of its file.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { FilePlanner } from '../../../core/destinations/file-plan.ts'
import { periodOf, type RotationOptions } from '../../../core/destinations/file-rotation.ts'
import { FilesDestination, type FilesOptions } from '../../../core/destinations/files.ts'
import { FileLines } from '../../../core/destinations/line-maker.ts'
import { selectorSelects } from '../../../core/destinations/selector-selects.ts'
import { minutesAtZone } from '../../../core/destinations/zones.ts'
import { eventually } from '../../support/eventually.ts'
import { killedRuns } from '../../support/killed-runs.ts'
import { Random, runSeed } from '../../support/random.ts'
import { JumpingClock } from './foreign-world.ts'
import { linesIn, linesOf, messagesOf, ORIGIN, OutletWorld } from './outlet-world.ts'

const PROCESS = path.join(import.meta.dirname, '../../support/files-process.ts')
const MODES = { file: 0o640, directory: 0o750 }
const UTC = () => 0
const NO_LIMIT = {
  sizeBytes: undefined,
  every: undefined,
  minutesAt: UTC,
  keep: undefined,
  keepMs: undefined,
  keepBytes: undefined,
} as const

function stampOf(name: string): string {
  return name.replace(/^messages\.|\.(gz|zst)$/g, '')
}

/** Text of all generations, the oldest first. */
function allGenerations(folder: string): string {
  return fs
    .readdirSync(folder)
    .filter((name) => name !== 'messages' && !name.endsWith('.partial'))
    .sort((a, b) => (stampOf(a) < stampOf(b) ? -1 : 1))
    .concat('messages')
    .map((name) => {
      const bytes = fs.readFileSync(path.join(folder, name))
      return (name.endsWith('.gz') ? gunzipSync(bytes) : name.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString('latin1')
    })
    .join('')
}

for (const [compress, how] of [
  ['none', 'all'],
  ['gzip', 'all'],
  ['zstd', 'all'],
  ['zstd', 'chosen'],
] as const) {
  test.serial(
    `kill -9 while files are rotated (compress: ${compress}, ${how}): each line once, in order, over all generations`,
    async (t) => {
      const seed = runSeed()
      t.log(`LOGHOP_SEED=${seed}`)
      const random = new Random(seed)
      const world = new OutletWorld(t, ['files-test'])
      const count = 30_000
      const padding = ` ${'x'.repeat(300)}`
      const padded = (texts: string[]) => texts.map((text) => text + padding)
      for (let from = 0; from < count; from += 500) await world.store(padded(messagesOf(500, from)), from % 5000 === 0)
      await world.closeSpool()
      const killAfterMs = (run: number): number | undefined => (run < 12 ? random.int(0, 250) : undefined)
      const kills = await killedRuns(
        t,
        PROCESS,
        [world.directory, compress, how],
        killAfterMs,
        /foreign-bytes|rotation-failed|files-failed/,
      )
      const folder = path.join(world.directory, 'log', ORIGIN)
      t.log(`${kills} kills, ${fs.readdirSync(folder).length} files`)
      t.true(fs.readdirSync(folder).length > 10)
      const found = allGenerations(folder).split('\n').slice(0, -1)
      const wanted = padded(linesOf(count))
      const at = wanted.findIndex((line, index) => line !== found[index])
      t.is(at === -1 ? '' : `line ${at}: ${found[at]?.slice(0, 70)}, of ${found.length}; ${fs.readdirSync(folder).join(' ')}`, '')
      t.is(found.length, count)
    },
  )
}

function startFiles(world: OutletWorld, clock: JumpingClock, options: Partial<FilesOptions>): FilesDestination {
  const { spool } = world.opened
  const whole = { template: path.join(world.directory, 'log', '$HOST', 'messages'), modes: MODES, openFilesLimit: 16, ...options }
  const destination = new FilesDestination(whole, spool, spool.attach('files', true), world.log, world.metrics, clock)
  destination.start()
  return destination
}

async function written(t: ExecutionContext, destination: FilesDestination): Promise<void> {
  await eventually(
    'all lines',
    () => destination.status()['lag_bytes'] === 0,
    () => JSON.stringify(destination.status()),
  )
  t.is(destination.status()['trouble'], '')
}

test('by day: the first line of a new day begins a new file; packed ones replace plain ones, and only so many stay', async (t) => {
  const world = new OutletWorld(t)
  let aheadUs = 0
  class Clock extends JumpingClock {
    override wallUs(): number {
      return super.wallUs() + aheadUs
    }
  }
  const rotation: RotationOptions = { ...NO_LIMIT, every: 'day', keep: 3, compress: 'zstd' }
  const destination = startFiles(world, new Clock(), { rotation })
  for (let day = 0; day < 6; day++) {
    await world.store(messagesOf(10, day * 20))
    await written(t, destination)
    await world.store(messagesOf(10, day * 20 + 10))
    await written(t, destination)
    aheadUs += 86_400_000_000
  }
  const folder = path.join(world.directory, 'log', ORIGIN)
  await eventually('three packed files', async () => {
    await world.opened.spool.checkpoint()
    const names = fs.readdirSync(folder)
    return names.length === 4 && names.filter((name) => /^messages\.\d{8}T\d{6}Z\.zst$/.test(name)).length === 3
  })
  t.is(fs.statSync(path.join(folder, fs.readdirSync(folder).find((name) => name.endsWith('.zst'))!)).mode & 0o777, 0o640)
  t.deepEqual(allGenerations(folder).split('\n').slice(0, -1), linesOf(80, 40))
  await destination.stop(AbortSignal.timeout(1000))
  await world.closeSpool()
  destination.close()
})

test('a path with the day of the message, in a zone, and a selector: each line in its file, nothing else made', async (t) => {
  const world = new OutletWorld(t)
  const template = path.join(world.directory, 'log', '$HOST', '$YEAR', '$MONTH', '$DAY', 'messages')
  const planner = new FilePlanner(template, selectorSelects('*.notice'), minutesAtZone('Europe/Berlin'))
  const lines = new FileLines()
  const destination = startFiles(world, new JumpingClock(), {
    template,
    fsync: 'batch',
    chosen: { records: world.records, planner, lines },
  })
  const at = (time: string, pri: number, text: string) => `<${pri}>1 ${time} web01 app - - - ${text}`
  // Midnight in Berlin is 22:00 UTC in summer and 23:00 in winter.
  await world.store([
    at('2026-07-01T21:59:59Z', 13, 'a'),
    at('2026-07-01T22:00:00Z', 13, 'b'),
    at('2026-07-01T22:00:01Z', 15, 'debug'),
    at('2026-12-31T22:59:59Z', 11, 'c'),
    at('2026-12-31T23:00:00Z', 11, 'd'),
    at('2026-07-01T21:59:59Z', 13, 'e'),
  ])
  await world.store([at('2030-01-01T00:00:00Z', 15, 'debug')])
  await written(t, destination)
  const base = path.join(world.directory, 'log', ORIGIN)
  const texts = (name: string) => linesIn(path.join(base, name, 'messages')).map((line) => line.at(-1))
  t.deepEqual(texts('2026/07/01'), ['a', 'e'])
  t.deepEqual(texts('2026/07/02'), ['b'])
  t.deepEqual(texts('2026/12/31'), ['c'])
  t.deepEqual(texts('2027/01/01'), ['d'])
  t.deepEqual(fs.readdirSync(base).sort(), ['2026', '2027'])
  await destination.stop(AbortSignal.timeout(1000))
  await world.closeSpool()
  destination.close()
})

test('one record cannot make more files than are counted: what is over goes to one of its own', async (t) => {
  const world = new OutletWorld(t)
  const template = path.join(world.directory, 'log', '$PROGRAM', 'messages')
  const planner = new FilePlanner(template, undefined, UTC)
  const destination = startFiles(world, new JumpingClock(), {
    template,
    chosen: { records: world.records, planner, lines: new FileLines() },
  })
  const programs = ['..', '.', 'a/../../b', ...Array.from({ length: 100 }, (_, index) => `p${index}`)]
  await world.store(programs.map((program) => `<13>1 2026-01-01T00:00:00Z web01 ${program} - - - x`))
  await written(t, destination)
  const folders = fs.readdirSync(path.join(world.directory, 'log')).sort()
  t.is(folders.length, 12)
  t.true(folders.includes('_overflow'))
  t.deepEqual(fs.readdirSync(world.directory).sort(), ['log', 'spool'])
  const lines = folders.flatMap((folder) => linesIn(path.join(world.directory, 'log', folder, 'messages')))
  t.is(lines.length, programs.length)
  await destination.stop(AbortSignal.timeout(1000))
  await world.closeSpool()
  destination.close()
})

test('owner, group, mode and missing directories', async (t) => {
  const world = new OutletWorld(t)
  const isRoot = process.getuid!() === 0
  const modes = { file: 0o604, directory: 0o701, ...(isRoot ? { uid: 12_345, gid: 23_456 } : {}), createDirectories: false }
  const destination = startFiles(world, new JumpingClock(), { modes })
  await world.store(messagesOf(3))
  fs.mkdirSync(path.join(world.directory, 'log'))
  await eventually('the refusal', () => /that directory is missing/.test(String(destination.status()['trouble'])))
  fs.mkdirSync(path.join(world.directory, 'log', ORIGIN))
  await written(t, destination)
  const stat = fs.statSync(path.join(world.directory, 'log', ORIGIN, 'messages'))
  t.is(stat.mode & 0o777, 0o604)
  if (isRoot) t.deepEqual([stat.uid, stat.gid], [12_345, 23_456])
  await destination.stop(AbortSignal.timeout(1000))
  await world.closeSpool()
  destination.close()
})

test('periods begin at midnight, on Monday and on the first, in the zone', (t) => {
  const second = (text: string) => Date.parse(text) / 1000
  const berlin = minutesAtZone('Europe/Berlin')
  const isSame = (a: string, b: string, every: 'hour' | 'day' | 'week' | 'month') =>
    periodOf(second(a), every, berlin) === periodOf(second(b), every, berlin)
  t.true(isSame('2026-03-28T23:00:00Z', '2026-03-29T21:59:59Z', 'day'))
  t.false(isSame('2026-03-28T22:59:59Z', '2026-03-28T23:00:00Z', 'day'))
  t.false(isSame('2026-03-29T21:59:59Z', '2026-03-29T22:00:00Z', 'day'))
  t.true(isSame('2026-11-22T23:00:00Z', '2026-11-29T22:59:59Z', 'week'))
  t.false(isSame('2026-11-22T22:59:59Z', '2026-11-22T23:00:00Z', 'week'))
  t.false(isSame('2026-11-30T22:59:59Z', '2026-11-30T23:00:00Z', 'month'))
  t.false(isSame('2026-11-30T00:59:59Z', '2026-11-30T01:00:00Z', 'hour'))
})
