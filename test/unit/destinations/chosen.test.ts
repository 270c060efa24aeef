// What `select`, `when`, `format` and `zone` of a destination make of messages, from the configuration to what a reader gets.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { systemClock } from '../../../core/base/clock.ts'
import type { Destination } from '../../../core/destinations/destination.ts'
import { filesOption } from '../../../core/destinations/files-options.ts'
import { makeLocalDestination } from '../../../core/destinations/local.ts'
import { makeFilesDestination } from '../../../core/destinations/make-files.ts'
import { pipeOption, programOption } from '../../../core/destinations/options.ts'
import { eventually } from '../../support/eventually.ts'
import { linesIn, OutletWorld } from './outlet-world.ts'

const MESSAGES = [
  '<38>1 2026-01-01T23:30:00Z web01 sshd 12 - - Failed password',
  '<38>1 2026-01-01T23:30:00Z web01 sshd 12 - - Accepted publickey',
  '<30>1 2026-01-01T23:30:00Z web01 cron 13 - - Failed job',
]

function worldOf(world: OutletWorld) {
  return {
    spool: world.opened.spool,
    records: world.records,
    log: world.log,
    metrics: world.metrics,
    clock: systemClock,
    openFilesLimit: 16,
  }
}

async function ended(destination: Destination): Promise<void> {
  await eventually('all', () => destination.status()['lag_bytes'] === 0)
  await destination.stop(AbortSignal.timeout(10_000))
}

test('program: what when and select choose, in a template of its own, in its zone', async (t) => {
  const world = new OutletWorld(t)
  const out = world.file('out')
  const options = programOption.parse({
    program: ['/bin/sh', '-c', `cat > ${out}`],
    select: 'auth.info',
    when: { match: 'Failed' },
    format: '$DAY $HOUR $PROGRAM: $MSG',
    zone: 'Europe/Berlin',
  })
  const destination = makeLocalDestination(options, worldOf(world))
  destination.start()
  await world.store(MESSAGES)
  await ended(destination)
  t.deepEqual(linesIn(out), ['02 00 sshd: Failed password'])
  destination.close()
})

test('files: when chooses beside select, also where the path is by host alone', async (t) => {
  const world = new OutletWorld(t)
  const template = path.join(world.directory, 'log', '$HOST', 'messages')
  const options = filesOption.parse({ files: template, when: { not: { program: 'sshd' } } })
  const destination = makeFilesDestination(options, worldOf(world))
  destination.start()
  await world.store(MESSAGES)
  await ended(destination)
  const file = path.join(world.directory, 'log', 'web01.example.com', 'messages')
  t.deepEqual(linesIn(file), ['2026-01-01T23:30:00Z web01.example.com cron[13]: Failed job'])
  t.true(fs.existsSync(file))
  await world.closeSpool()
  destination.close()
})

for (const [text, fault] of [
  ['{ pipe: /p, when: {} }', /it tests nothing/],
  ['{ pipe: /p, when: { program: "" } }', /empty name/],
  ['{ pipe: /p, when: { message: "/(/" } }', /when/],
  ['{ pipe: /p, when: { any: [ { property: "nothing" } ] } }', /when/],
  ['{ pipe: /p, format: "bds" }', /neither a name \(did you mean bsd\?\)/],
  ['{ pipe: /p, zone: Mars/North }', /no such zone/],
] as const) {
  test(`refused: ${text}`, (t) => {
    const result = pipeOption.safeParse(parse(text))
    t.false(result.success)
    t.regex(JSON.stringify(result.error?.issues), fault)
  })
}
