import * as fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../core/base/clock.ts'
import { createLog } from '../../../core/base/log.ts'
import { Metrics } from '../../../core/base/metrics.ts'
import { FileSource } from '../../../core/pipeline/file/file-source.ts'
import { isRotatedName } from '../../../core/pipeline/file/siblings.ts'
import type { Positions } from '../../../core/pipeline/positions.ts'
import { temporaryDirectory } from '../../support/chain.ts'
import { effort } from '../../support/effort.ts'
import { eventually } from '../../support/eventually.ts'
import { runSeed } from '../../support/random.ts'
import { difference } from '../../support/tailed-file.ts'

/** What a file source needs of the positions, in memory: a restart finds what was stored, as after a kill. */
class Kept {
  readonly texts: string[] = []
  readonly said: string[] = []
  readonly positions = new Map<string, unknown>()

  source(t: ExecutionContext, pattern: string): FileSource {
    const positions = {
      get: (key: string) => this.positions.get(key),
      keys: (prefix: string) => [...this.positions.keys()].filter((key) => key.startsWith(prefix)),
      move: (key: string, position: unknown) => {
        if (position === null) this.positions.delete(key)
        else this.positions.set(key, position)
      },
      store: (key: string, position: unknown, bytes: Buffer, start: number, end: number): boolean => {
        for (let at = start; at < end; ) {
          const length = bytes.readUInt32LE(at)
          this.texts.push(bytes.toString('utf8', at + 4, at + 4 + length).replace(/^.*?\] /, ''))
          at += 4 + length
        }
        this.positions.set(key, position)
        return true
      },
    } as unknown as Positions
    const log = createLog('info', 'text', (line) => this.said.push(line))
    const options = {
      pattern,
      pri: 13,
      program: undefined,
      encoding: 'utf-8',
      isFromEnd: false,
      rules: { limitBytes: 100, multiLine: { kind: 'none' } },
      hostname: 'h',
    } as const
    return new FileSource(options, positions, new Metrics(), log, systemClock, (error) => t.fail(error.message))
  }

  until(count: number): Promise<boolean> {
    return eventually(
      `${count} lines`,
      () => this.texts.length >= count,
      () => `There are ${this.texts.join(', ')}. ${this.said.join('\n')}`,
    )
  }
}

test('isRotatedName() knows what rotations make of a name', (t) => {
  for (const name of ['app.log.1', 'app.log-20260102', 'app.log.2026-01-02T03:04', 'app.log.old', 'app-20260102.log', 'app.1.log'])
    t.true(isRotatedName(name, 'app.log'), name)
  for (const name of ['app.log', 'app.log.gz', 'app.log.1.gz', 'app.logger', 'application.log', 'app-error.log', 'b.log.1'])
    t.false(isRotatedName(name, 'app.log'), name)
})

test('what came and went while nobody looked is read in order: both kinds of rotation, mixed', async (t) => {
  const directory = temporaryDirectory(t)
  const file = `${directory}/app.log`
  const kept = new Kept()
  const rename = (): void => {
    for (let number = 8; number >= 1; number--)
      if (fs.existsSync(`${file}.${number}`)) fs.renameSync(`${file}.${number}`, `${file}.${number + 1}`)
    fs.renameSync(file, `${file}.1`)
  }
  const cut = (): void => {
    for (let number = 8; number >= 1; number--)
      if (fs.existsSync(`${file}.${number}`)) fs.renameSync(`${file}.${number}`, `${file}.${number + 1}`)
    fs.copyFileSync(file, `${file}.1`)
    fs.truncateSync(file)
  }
  fs.writeFileSync(`${file}.1`, 'older than all\n')
  fs.writeFileSync(file, 'a1\na2\n')
  let source = kept.source(t, file)
  await kept.until(2)
  await source.stop()
  for (const [text, rotate] of [
    ['a3\n', cut],
    ['b1\n', cut],
    ['c1\nc2\n', rename],
    ['d1\n', rename],
    ['e1\n', cut],
    ['f1\n', undefined],
  ] as const) {
    fs.appendFileSync(file, text)
    rotate?.()
    // Coarse clocks of file systems.
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  source = kept.source(t, file)
  await kept.until(9)
  fs.appendFileSync(file, 'f2\n')
  await kept.until(10)
  await source.stop()
  t.deepEqual(kept.texts, ['a1', 'a2', 'a3', 'b1', 'c1', 'c2', 'd1', 'e1', 'f1', 'f2'])
})

test('a new file under the inode of an old one is read from its beginning', async (t) => {
  const directory = temporaryDirectory(t)
  const file = `${directory}/app.log`
  const kept = new Kept()
  fs.writeFileSync(file, 'a1\na2\n')
  let source = kept.source(t, file)
  await kept.until(2)
  await source.stop()
  fs.rmSync(file)
  fs.writeFileSync(file, 'b1\nb2\nb3\n')
  source = kept.source(t, file)
  await kept.until(5)
  await source.stop()
  t.deepEqual(kept.texts, ['a1', 'a2', 'b1', 'b2', 'b3'])
})

test('a file that was cut without a copy is read from its beginning, and the log says that something may be lost', async (t) => {
  const directory = temporaryDirectory(t)
  const file = `${directory}/app.log`
  const kept = new Kept()
  fs.writeFileSync(file, 'a1\na2\n')
  const source = kept.source(t, file)
  await kept.until(2)
  fs.writeFileSync(file, 'b1 and longer than before\n')
  await kept.until(3)
  await source.stop()
  t.deepEqual(kept.texts, ['a1', 'a2', 'b1 and longer than before'])
  t.regex(kept.said.join('\n'), /file-cut: .* no copy of it was found/)
})

test('a link beside a file, and a file that is renamed to another matching name, bring nothing twice', async (t) => {
  const directory = temporaryDirectory(t)
  const kept = new Kept()
  fs.writeFileSync(`${directory}/a.log`, 'a1\na2\n')
  fs.symlinkSync('a.log', `${directory}/latest.log`)
  const source = kept.source(t, `${directory}/*.log`)
  await kept.until(2)
  fs.rmSync(`${directory}/latest.log`)
  fs.renameSync(`${directory}/a.log`, `${directory}/b.log`)
  fs.appendFileSync(`${directory}/b.log`, 'a3\n')
  await kept.until(3)
  fs.writeFileSync(`${directory}/a.log`, 'n1\n')
  await kept.until(4)
  await source.stop()
  t.deepEqual(kept.texts, ['a1', 'a2', 'a3', 'n1'])
})

test('late lines of a writer that still has the old file open are read, and a line without its end waits for it', async (t) => {
  const directory = temporaryDirectory(t)
  const file = `${directory}/app.log`
  const kept = new Kept()
  fs.writeFileSync(file, 'a1\n')
  const source = kept.source(t, file)
  await kept.until(1)
  fs.renameSync(file, `${file}.1`)
  fs.writeFileSync(file, 'b1\n')
  await kept.until(2)
  fs.appendFileSync(`${file}.1`, 'a2\nhal')
  await kept.until(3)
  fs.appendFileSync(`${file}.1`, 'f\n')
  await kept.until(4)
  await source.stop()
  t.deepEqual(kept.texts, ['a1', 'b1', 'a2', 'half'])
})

test('a file that is rotated again and again while it is looked at: no line is lost or doubled', async (t) => {
  const rotations = effort({ quick: 400, ci: 1500, long: 20_000 })
  t.timeout(60_000 + rotations * 100)
  const path = `${temporaryDirectory(t)}/app.log`
  fs.writeFileSync(path, '')
  const kept = new Kept()
  const source = kept.source(t, path)
  const shared = new Int32Array(new SharedArrayBuffer(12))
  const worker = new Worker(new URL('../../support/rotating-writer.ts', import.meta.url), {
    workerData: { path, keep: 12, rotations, seed: runSeed(), shared },
  })
  const failed = new Promise<never>((_, reject) => worker.once('error', reject))
  try {
    const isOver = (): boolean => {
      Atomics.store(shared, 0, kept.texts.length)
      return Atomics.load(shared, 2) === 1 && kept.texts.length >= Atomics.load(shared, 1)
    }
    const seen = (): number[] => kept.texts.map((text) => Number(/^line (\d+) /.exec(text)![1]))
    const inWords = (): string => `${difference(seen(), Atomics.load(shared, 1))}. ${kept.said.join('\n')}`
    await Promise.race([failed, eventually('all lines', isOver, inWords, 60_000 + rotations * 50)])
    t.is(difference(seen(), Atomics.load(shared, 1)), undefined)
  } finally {
    await worker.terminate()
    await source.stop()
  }
})
