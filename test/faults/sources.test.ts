// The agent is killed at random moments while a file is written and rotated, and comes back: each line is in its spool once. LOGHOP_SEED repeats a run.

import * as fs from 'node:fs'
import test from 'ava'
import { Chain, sizeOf } from '../support/chain.ts'
import { Daemon } from '../support/daemon.ts'
import { effort } from '../support/effort.ts'
import { eventually } from '../support/eventually.ts'
import { Random, runSeed } from '../support/random.ts'
import { difference, RotatedFile, spooledLines } from '../support/tailed-file.ts'

const KEEP = 12

test.serial('the agent is killed while a file is written and rotated both ways: no line is lost or doubled', async (t) => {
  const kills = effort({ quick: 12, ci: 40, long: 300 })
  t.timeout(120_000 + kills * 10_000)
  const seed = runSeed()
  t.log(`LOGHOP_SEED=${seed}`)
  const random = new Random(seed)
  const chain = await Chain.make(t)
  const spool = chain.place('agent-spool')
  fs.mkdirSync(chain.place('app'))
  const file = new RotatedFile(chain.place('app/app.log'), KEEP)
  t.teardown(() => file.close())
  chain.agentOptions['sources'] = [{ file: chain.place('app/*.log') }]
  // What stood beside the path before it was seen for the first time is not read.
  const first = Daemon.spawn(t, 'agent', chain.agentConfig)
  await first.event('started')
  await first.end('SIGTERM')
  // Since everything was read: what is removed before anyone has read it is lost to everyone, and an agent may be killed several times before it reads.
  let rotations = 0
  const counts = { create: 0, copytruncate: 0, killed: 0, early: 0 }
  for (let kill = 0; kill <= kills; kill++) {
    const agent = Daemon.spawn(t, 'agent', chain.agentConfig)
    const isLast = kill === kills
    const isEarly = random.chance(0.3)
    const lastsMs = isEarly ? random.int(0, 400) : random.int(0, 1000)
    let endsAt = isEarly ? performance.now() + lastsMs : Number.POSITIVE_INFINITY
    while (performance.now() < endsAt) {
      if (endsAt === Number.POSITIVE_INFINITY && agent.lines.some((line) => line.includes(' started: ')))
        endsAt = performance.now() + lastsMs
      file.write(random.int(1, 40))
      if (rotations < KEEP - 2 && random.chance(0.05)) {
        const kind = random.chance(0.5) ? 'create' : 'copytruncate'
        file.rotate(kind, random.chance(0.5) ? random.int(1, 20) : 0)
        counts[kind]++
        rotations++
      }
      await new Promise((resolve) => setTimeout(resolve, random.int(0, 8)))
    }
    if (isLast || rotations >= KEEP / 2) {
      await agent.event('started')
      const total = file.count
      await eventually(
        'all lines in the spool',
        () => spooledLines(spool).length >= total,
        () => `${difference(spooledLines(spool), total)}. ${agent.said}`,
      ).catch((error: Error) => t.log(error.message))
      rotations = 0
    }
    if (isLast) await agent.end('SIGTERM')
    else {
      if (!agent.lines.some((line) => line.includes(' started: '))) counts.early++
      counts.killed++
      t.is((await agent.end('SIGKILL')).signal, 'SIGKILL', agent.said)
    }
    for (const line of agent.lines) if (/ (?:file-cut|file-gone|failed): /.test(line)) t.log(line)
  }
  t.is(difference(spooledLines(spool), file.count), undefined)
  t.log(
    `${file.count} lines, ${counts.create} renamed, ${counts.copytruncate} copied and cut, ${counts.killed} kills (${counts.early} before it had started)`,
  )
  t.true(sizeOf(`${spool}/positions`) > 0)
})
