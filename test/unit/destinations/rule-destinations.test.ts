// Where a rule leads takes the options of a destination, and does what they say.

import * as fs from 'node:fs'
import test from 'ava'
import { z } from 'zod'
import { wantedOfRules } from '../../../core/destinations/rule-destinations.ts'
import { planRules } from '../../../core/destinations/rule-targets.ts'
import { rulesOption } from '../../../core/destinations/rules-option.ts'
import { load } from '../../support/configuration.ts'
import { eventually } from '../../support/eventually.ts'
import { JumpingClock } from './foreign-world.ts'
import { linesIn, messagesOf, OutletWorld } from './outlet-world.ts'

test('a file that a rule leads to has its mode, form, limit and rotation', async (t) => {
  const world = new OutletWorld(t, [])
  const yaml = `rules:
  - to: { file: ${world.file('log/rotated')}, file_mode: "0604", directory_mode: "0711", rotate: { size: 1KiB, keep: 2, compress: none }, format: "$MSG" }
  - to: { file: ${world.file('log/limited')}, fsync: batch, limit: { per: rule, rate: 1/h, burst: 2, levels: emerg..debug } }
`
  const planned = planRules(load(yaml, z.strictObject({ rules: rulesOption })).rules)
  const { spool } = world.opened
  const nobody = (): never => {
    throw new Error('no identity is wanted')
  }
  const wanted = wantedOfRules(planned, {
    spool,
    records: world.records,
    log: world.log,
    metrics: world.metrics,
    clock: new JumpingClock(),
    openFilesLimit: 16,
    identity: nobody,
    describeIdentity: nobody,
  })
  const made = wanted.map((one) => {
    one.check?.()
    return one.make(one.selects)
  })
  for (const destination of made) destination.start()
  const folder = world.file('log')
  for (let round = 0; round < 4; round++) {
    await world.store(messagesOf(100, round * 100))
    await eventually('the lines', async () => {
      await spool.checkpoint()
      return made.every((destination) => destination.status()['lag_bytes'] === 0)
    })
  }
  await eventually('two closed files to stay', async () => {
    await spool.checkpoint()
    return fs.readdirSync(folder).filter((name) => name.startsWith('rotated.')).length === 2
  })
  t.is(fs.statSync(world.file('log/rotated')).mode & 0o777, 0o604)
  t.is(fs.statSync(folder).mode & 0o777, 0o711)
  t.notRegex(fs.readFileSync(world.file('log/rotated'), 'utf8'), /^\d{4}-/)
  t.is(linesIn(world.file('log/limited')).filter((line) => !line.includes('suppressed')).length, 2)
  for (const destination of made) await destination.stop(AbortSignal.timeout(10_000))
  await world.closeSpool()
  for (const destination of made) destination.close()
})

test('an owner that is not there is refused before anything is made', (t) => {
  const { rules } = load('rules: [ { to: { file: /log/a, owner: nobody-of-that-name } } ]', z.strictObject({ rules: rulesOption }))
  const [one] = wantedOfRules(planRules(rules), {} as Parameters<typeof wantedOfRules>[1])
  t.throws(() => one!.check!(), { message: /nobody-of-that-name/ })
})
