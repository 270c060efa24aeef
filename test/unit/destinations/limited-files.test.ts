// A limit in front of files under kill -9, and in front of a program across a restart.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { systemClock } from '../../../core/base/clock.ts'
import { makeLocalDestination } from '../../../core/destinations/local.ts'
import { programOption } from '../../../core/destinations/options.ts'
import { eventually } from '../../support/eventually.ts'
import { Random, runSeed } from '../../support/random.ts'
import { JumpingClock } from './foreign-world.ts'
import { linesIn, messagesOf, ORIGIN, OutletWorld } from './outlet-world.ts'

const PROCESS = path.join(import.meta.dirname, '../../support/files-process.ts')

/** Files what stands in the spool; where it is given, killed so long after its first checkpoint. @returns whether it came to its end */
async function file(directory: string, killMs: number | undefined): Promise<boolean> {
  const child = spawn(process.execPath, [PROCESS, directory, 'none', 'limited'], { stdio: ['ignore', 'pipe', 'pipe'] })
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

test('kill -9 of a limited files destination: its file is byte for byte the one of an uninterrupted run', async (t) => {
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
    const messages = messagesOf(400, batch * 400, 14).map((text) => `${text.replace(' app ', ` app${batch % 3} `)} ${'x'.repeat(200)}`)
    await world.store([...messages, `<11>1 2026-01-01T00:00:00Z web01 app - - - error ${batch}`], batch % 7 === 0)
    clock.aheadUs += random.int(0, 7_000_000)
  }
  await world.closeSpool()
  const whole = path.join(world.directory, 'whole')
  fs.cpSync(path.join(world.directory, 'spool'), path.join(whole, 'spool'), { recursive: true })
  t.true(await file(whole, undefined))
  let kills = 0
  while (!(await file(world.directory, kills < 10 ? random.int(0, 30) : undefined))) kills++
  t.log(`${kills} kills`)
  const textOf = (directory: string) => fs.readFileSync(path.join(directory, 'log', ORIGIN, 'messages'), 'latin1')
  const wanted = textOf(whole)
  t.true(wanted === textOf(world.directory), 'the files differ')
  t.is(wanted.match(/: error \d+\n/g)?.length, 150)
  const passed = wanted.match(/: number \d+ x+\n/g)!.length
  const told = [...wanted.matchAll(/ app\d: (\d+) messages? of app\d at web01\.example\.com suppressed, over 20\/s/g)]
  t.true(told.length > 3)
  const toldMessages = told.reduce((sum, [, count]) => sum + Number(count), 0)
  t.true(passed < 40_000 && passed + toldMessages <= 60_000)
  // What is not told yet is that of the last seconds.
  t.true(passed + toldMessages > 40_000, `${passed} passed, ${toldMessages} told`)
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
