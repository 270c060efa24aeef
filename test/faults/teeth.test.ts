// The tests of this folder are tried on programs that are broken on purpose: each of these bugs must be caught.

import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { temporaryDirectory } from '../support/chain.ts'
import { LoopDisk, missingForPowerCuts } from '../support/loop-disk.ts'
import { countCalls, cutAndRecover, type History, killAndRecover, pickPoint } from '../support/power-cuts.ts'
import { Random, runSeed } from '../support/random.ts'

/** Histories after which a bug counts as not caught. */
const HISTORIES = 40

async function caught(t: ExecutionContext, random: Random, history: (round: number) => Promise<History>): Promise<void> {
  t.timeout(HISTORIES * 10_000)
  for (let round = 1; round <= HISTORIES; round++) {
    const { fault } = await history(round)
    if (fault === undefined) continue
    t.log(`caught in history ${round}: ${fault}`)
    t.pass()
    return
  }
  t.fail(`not caught in ${HISTORIES} histories, next random number ${random.next()}`)
}

for (const hook of ['forgetful-streams', 'blind-replay', 'late-store']) {
  test.serial(`killed processes catch ${hook}`, async (t) => {
    const random = new Random(runSeed())
    const cache = temporaryDirectory(t)
    await caught(t, random, () => killAndRecover(t, { directory: path.join(temporaryDirectory(t), 'p'), cache, hooks: [hook] }, random))
  })
}

for (const [hook, fileSystem] of [
  ['ack-before-sync', 'ext4'],
  ['ack-before-sync', 'xfs'],
  ['unsynced-files', 'ext4'],
  ['unsynced-documents', 'xfs'],
  ['freed-early', 'ext4'],
] as const) {
  test.serial(`power cuts on ${fileSystem} catch ${hook}`, async (t) => {
    const missing = missingForPowerCuts(fileSystem)
    if (missing.length > 0) {
      t.log(`NOT RUN: power cuts on ${fileSystem} with ${hook}, for want of ${missing.join(', ')}`)
      t.pass()
      return
    }
    const random = new Random(runSeed())
    const cache = temporaryDirectory(t)
    const disk = LoopDisk.make(t, fileSystem)
    const calls = await countCalls(t, { directory: path.join(disk.place, 'counting'), acknowledged: 0, cache })
    await caught(t, random, (round) =>
      cutAndRecover(t, disk, { directory: path.join(disk.place, `p${round}`), cache, hooks: [hook] }, [
        pickPoint(calls, random),
        pickPoint(calls, random),
      ]),
    )
  })
}
