// A limit, and the folding of repeats, in front of files under kill -9; a limit in front of a program across a restart.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '../../../core/base/clock.ts'
import { makeLocalDestination } from '../../../core/destinations/local.ts'
import { programOption } from '../../../core/destinations/options.ts'
import { eventually } from '../../support/eventually.ts'
import { Random, runSeed } from '../../support/random.ts'
import { JumpingClock } from './foreign-world.ts'
import { linesIn, messagesOf, ORIGIN, OutletWorld } from './outlet-world.ts'

const PROCESS = path.join(import.meta.dirname, '../../support/files-process.ts')

/** Files what stands in the spool; where it is given, killed so long after its first checkpoint. @returns whether it came to its end */
async function file(directory: string, how: 'limited' | 'folded', killMs: number | undefined): Promise<boolean> {
  const child = spawn(process.execPath, [PROCESS, directory, 'none', how], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (bytes) => {
    said += bytes
  })
  let timer: NodeJS.Timeout | undefined
  child.stdout.on('data', (bytes) => {
    if (killMs !== undefined && String(bytes).includes('saved')) timer ??= setTimeout(() => child.kill('SIGKILL'), killMs)
  })
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  clearTimeout(timer)
  if (said !== '') throw new Error(said)
  return code === 0
}

/**
 * Files what `messagesOf` gives for each of 150 batches, once whole and once with kills, moving the clock ahead by up to `pauseUs` between batches.
 * @returns the file, which is the same byte for byte
 */
async function killed(
  t: ExecutionContext,
  how: 'limited' | 'folded',
  pauseUs: number,
  messagesOfBatch: (batch: number, random: Random) => string[],
): Promise<string> {
  const seed = runSeed()
  t.log(`LOGHOP_SEED=${seed}`)
  const random = new Random(seed)
  class Clock extends JumpingClock {
    aheadUs = 0
    override wallUs(): number {
      return super.wallUs() + this.aheadUs
    }
  }
  const clock = new Clock()
  const world = new OutletWorld(t, ['files-test'], clock)
  for (let batch = 0; batch < 150; batch++) {
    await world.store(messagesOfBatch(batch, random), batch % 7 === 0)
    clock.aheadUs += random.int(0, pauseUs)
  }
  await world.closeSpool()
  const whole = path.join(world.directory, 'whole')
  fs.cpSync(path.join(world.directory, 'spool'), path.join(whole, 'spool'), { recursive: true })
  t.true(await file(whole, how, undefined))
  let kills = 0
  while (!(await file(world.directory, how, kills < 10 ? random.int(0, 30) : undefined))) kills++
  t.log(`${kills} kills`)
  const textOf = (directory: string) => fs.readFileSync(path.join(directory, 'log', ORIGIN, 'messages'), 'latin1')
  const wanted = textOf(whole)
  t.true(wanted === textOf(world.directory), 'the files differ')
  return wanted
}

test('kill -9 of a limited files destination: its file is byte for byte the one of an uninterrupted run', async (t) => {
  const wanted = await killed(t, 'limited', 7_000_000, (batch) => {
    const messages = messagesOf(400, batch * 400, 14).map((text) => `${text.replace(' app ', ` app${batch % 3} `)} ${'x'.repeat(200)}`)
    return [...messages, `<11>1 2026-01-01T00:00:00Z web01 app - - - error ${batch}`]
  })
  t.is(wanted.match(/: error \d+\n/g)?.length, 150)
  const passed = wanted.match(/: number \d+ x+\n/g)!.length
  const told = [...wanted.matchAll(/ app\d: (\d+) messages? of app\d at web01\.example\.com suppressed, over 20\/s/g)]
  t.true(told.length > 3)
  const toldMessages = told.reduce((sum, [, count]) => sum + Number(count), 0)
  t.true(passed < 40_000 && passed + toldMessages <= 60_000)
  // What is not told yet is that of the last seconds.
  t.true(passed + toldMessages > 40_000, `${passed} passed, ${toldMessages} told`)
})

test('kill -9 of a files destination that folds repeats: byte for byte the same, and each message is a line or in the count of one', async (t) => {
  let said = 0
  const wanted = await killed(t, 'folded', 20_000_000, (_batch, random) => {
    const messages: string[] = []
    for (let run = random.int(1, 40); run > 0; run--) {
      const text = random.int(0, 3) === 0 ? `number ${said}` : 'again'
      const count = random.int(1, 20)
      said += count
      for (let at = 0; at < count; at++) messages.push(`<14>1 2026-01-01T00:00:00Z web01 app ${at} - - ${text} ${'x'.repeat(200)}`)
    }
    return messages
  })
  const lines = wanted.split('\n').slice(0, -1)
  const told = lines.flatMap((line) => / app: last message repeated (\d+) times$/.exec(line)?.[1] ?? [])
  t.true(told.length > 500)
  const written = lines.filter((line) => line.endsWith('x')).length
  t.is(written + told.length, lines.length)
  // What is not told yet is the last run, which may be of all the last batches.
  const left = said - written - told.reduce((sum, count) => sum + Number(count), 0)
  t.true(left >= 0 && left < 800, `${left} are left`)
})

test('a limited program across a restart: its bucket is as empty as it was', async (t) => {
  const world = new OutletWorld(t, [])
  const out = world.file('out')
  const options = programOption.parse({ program: ['/bin/sh', '-c', `cat >> ${out}`], limit: { rate: '1/h', burst: 10 } })
  for (const from of [0, 100]) {
    const { spool } = world.opened
    const destination = makeLocalDestination(options, {
      spool,
      records: world.records,
      log: world.log,
      metrics: world.metrics,
      clock: systemClock,
    })
    destination.start()
    await world.store(messagesOf(100, from, 14))
    await eventually(
      'all to be handed over',
      () => Number(destination.status()['suppressed']) > 0 || destination.status()['lag_bytes'] === 0,
    )
    await destination.stop(AbortSignal.timeout(20_000))
    t.is(destination.status()['lag_bytes'], 0)
    destination.close()
    await world.closeSpool()
    world.open()
  }
  t.is(linesIn(out).length, 10)
  t.is(world.metrics.get('messagesSuppressed'), 190)
})
