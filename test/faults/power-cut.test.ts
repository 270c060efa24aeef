// The process dies before its n-th write, sync, rename ..., then the power of its disk is cut; it recovers, and is cut off during that as well.
// What was acknowledged must be there, once. LOGHOP_SEED repeats a run's choices.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { temporaryDirectory } from '../support/chain.ts'
import { effort } from '../support/effort.ts'
import { FILE_SYSTEMS, LoopDisk, missingForPowerCuts } from '../support/loop-disk.ts'
import { BATCHES, HOSTS } from '../support/made-batches.ts'
import { countCalls, cutAndRecover, faultOfFiles, killAndRecover, pickPoint, runWorkload } from '../support/power-cuts.ts'
import { Random, runSeed } from '../support/random.ts'

for (const fileSystem of FILE_SYSTEMS) {
  test.serial(
    `power cuts before any system call, and again during recovery, on ${fileSystem}: what was acknowledged is there once`,
    async (t) => {
      const missing = missingForPowerCuts(fileSystem)
      if (missing.length > 0) {
        t.log(`NOT RUN: power cuts on ${fileSystem}, for want of ${missing.join(', ')}`)
        t.pass()
        return
      }
      const seed = runSeed()
      const random = new Random(seed)
      const points = effort({ quick: 8, ci: 50, long: 1000 })
      t.timeout(300_000 + points * 10_000)
      const cache = temporaryDirectory(t)
      const disk = LoopDisk.make(t, fileSystem)
      const counting = path.join(disk.place, 'counting')
      const calls = await countCalls(t, { directory: counting, acknowledged: 0, cache })
      t.is(faultOfFiles(counting), undefined, 'without any fault')
      let cuts = 0
      for (let index = 0; index < points; index++) {
        const directory = path.join(disk.place, `p${index}`)
        // The second one early, amid recovery and the first batches after it.
        const cutAt = [pickPoint(calls, random), pickPoint(calls, random, 0.3)]
        const history = await cutAndRecover(t, disk, { directory, cache }, cutAt)
        t.is(history.fault, undefined, `LOGHOP_SEED=${seed}, point ${index + 1}${history.told}`)
        cuts += history.cuts
        fs.rmSync(directory, { recursive: true })
      }
      t.true(cuts >= points, `only ${cuts} cuts of ${2 * points} hit`)
      t.log(
        `LOGHOP_SEED=${seed}: ${points} histories on ${fileSystem}, ${cuts} cuts, ${BATCHES} acknowledged batches each: lost 0, doubled 0`,
      )
      t.log(`calls of a run: ${[...calls].map(([call, { first, last }]) => `${call} ${last - first + 1}`).join(', ')}`)
    },
  )
}

test.serial('a killed process, without a power cut: what was acknowledged is there once', async (t) => {
  const seed = runSeed()
  const random = new Random(seed)
  const rounds = effort({ quick: 4, ci: 20, long: 300 })
  t.timeout(300_000 + rounds * 10_000)
  const cache = temporaryDirectory(t)
  let kills = 0
  for (let round = 0; round < rounds; round++) {
    const directory = path.join(temporaryDirectory(t), 'p')
    const history = await killAndRecover(t, { directory, cache }, random)
    t.is(history.fault, undefined, `LOGHOP_SEED=${seed}, round ${round + 1}. ${history.told}`)
    kills += history.cuts
  }
  t.log(`LOGHOP_SEED=${seed}: ${rounds} histories, ${kills} kills`)
})

test.serial('zeros at the end of a file, as a power cut leaves them, are cut off; bytes of someone else are kept beside it', async (t) => {
  const cache = temporaryDirectory(t)
  const directory = temporaryDirectory(t)
  const half = await runWorkload(t, { directory, acknowledged: 0, cache, batches: 18 })
  t.is(half.code, 0, half.said)
  fs.appendFileSync(path.join(directory, 'logs', HOSTS[0], 'messages'), Buffer.alloc(5000))
  fs.appendFileSync(path.join(directory, 'logs', HOSTS[1], 'messages'), 'not ours\n')
  const rest = await runWorkload(t, { directory, acknowledged: 18, cache })
  t.is(rest.code, 0, rest.said)
  t.deepEqual(fs.readdirSync(path.join(directory, 'logs', HOSTS[0])), ['messages'])
  const [kept] = fs.readdirSync(path.join(directory, 'logs', HOSTS[1])).filter((name) => name !== 'messages')
  t.is(fs.readFileSync(path.join(directory, 'logs', HOSTS[1], kept!), 'utf8'), 'not ours\n')
  fs.rmSync(path.join(directory, 'logs', HOSTS[1], kept!))
  t.is(faultOfFiles(directory), undefined)
})

test.serial('lines that a killed process has written are on the disk before a checkpoint counts on them', async (t) => {
  const missing = missingForPowerCuts('ext4')
  if (missing.length > 0) {
    t.log(`NOT RUN: ${t.title}, for want of ${missing.join(', ')}`)
    t.pass()
    return
  }
  const cache = temporaryDirectory(t)
  const disk = LoopDisk.make(t, 'ext4')
  for (let round = 0; round < effort({ quick: 3, ci: 10, long: 100 }); round++) {
    const directory = path.join(disk.place, `p${round}`)
    fs.mkdirSync(directory)
    const killed = await runWorkload(t, { directory, acknowledged: 0, cache, batches: 9 + (round % 24), hooks: ['killed-at-close'] })
    t.true(killed.wasKilled, killed.said)
    // Nothing new comes: this one only compares what stands there, and closes.
    const quiet = await runWorkload(t, { directory, acknowledged: killed.acknowledged, cache, batches: killed.acknowledged })
    t.is(quiet.code, 0, quiet.said)
    disk.cut()
    const rest = await runWorkload(t, { directory, acknowledged: killed.acknowledged, cache })
    t.is(rest.code, 0, rest.said)
    t.is(faultOfFiles(directory), undefined, rest.said)
  }
})

test.serial('the same files under another device number, as after a boot, are gone on with', async (t) => {
  const missing = missingForPowerCuts('ext4')
  if (missing.length > 0) {
    t.log(`NOT RUN: ${t.title}, for want of ${missing.join(', ')}`)
    t.pass()
    return
  }
  const cache = temporaryDirectory(t)
  const disk = LoopDisk.make(t, 'ext4')
  const directory = path.join(disk.place, 'p')
  fs.mkdirSync(directory)
  const { dev } = fs.statSync(directory)
  for (const batches of [12, 24, BATCHES]) {
    const result = await runWorkload(t, { directory, acknowledged: batches - 12, cache, batches })
    t.is(result.code, 0, result.said)
    disk.cut(true)
  }
  t.not(fs.statSync(directory).dev, dev)
  t.is(faultOfFiles(directory), undefined)
})
