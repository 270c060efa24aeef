// Real child programs, which end well, badly, or in the middle of a batch.

import * as fs from 'node:fs'
import test from 'ava'
import { FileLines } from '../../../core/destinations/line-maker.ts'
import { ProgramOutlet } from '../../../core/destinations/program.ts'
import { eventually } from '../../support/eventually.ts'
import { drained, linesIn, linesOf, messagesOf, OutletWorld } from './outlet-world.ts'

test('a program gets every line once while it lives, and may finish when we stop', async (t) => {
  const world = new OutletWorld(t)
  const out = world.file('out')
  // It writes only when its input has ended.
  const destination = world.start(new ProgramOutlet(`sort -t' ' -s -k4n > ${out}.part && mv ${out}.part ${out}`, new FileLines()))
  for (let from = 0; from < 20_000; from += 2000) await world.store(messagesOf(2000, from), true)
  await destination.stop(AbortSignal.timeout(60_000))
  t.is(destination.status()['lag_bytes'], 0)
  t.deepEqual(linesIn(out), linesOf(20_000))
})

test('a list is a program and its arguments, without a shell; /dev/stdin can be opened', async (t) => {
  const world = new OutletWorld(t)
  const out = world.file('a $HOME; b')
  const destination = world.start(new ProgramOutlet(['dd', 'if=/dev/stdin', `of=${out}`, 'status=none'], new FileLines()))
  await world.store(messagesOf(10))
  await destination.stop(AbortSignal.timeout(60_000))
  t.deepEqual(linesIn(out), linesOf(10))
})

test('a program that dies in the middle of a batch is started again, and no line is missed', async (t) => {
  const world = new OutletWorld(t)
  const out = world.file('out')
  // Three times it kills itself with lines in its hands; the shell reads line by line.
  const script = `
    count=$(cat ${out}.count 2>/dev/null || echo 0); echo $((count + 1)) > ${out}.count
    seen=0
    while IFS= read -r line; do
      seen=$((seen + 1))
      if [ $count -lt 3 ] && [ $seen = 150 ]; then echo "line 150 is too much" >&2; kill -9 $$; fi
      printf '%s\\n' "$line" >> ${out}
    done`
  const destination = world.start(new ProgramOutlet(script, new FileLines()))
  await world.store(messagesOf(1000))
  await drained(destination)
  t.deepEqual([...new Set(linesIn(out))], linesOf(1000))
  t.is(destination.status()['starts'], 4)
  t.regex(world.told('destination-failed')[0]!, /was ended by SIGKILL; it said: line 150 is too much\. It is started again by itself/)
})

test('a program that is killed with kill -9 from outside, again and again: every line at least once', async (t) => {
  const world = new OutletWorld(t)
  const out = world.file('out')
  const destination = world.start(new ProgramOutlet(`exec cat >> ${out}`, new FileLines()))
  for (let round = 0; round < 5; round++) {
    await world.store(messagesOf(3000, round * 3000))
    const pid = await eventually('it runs', () => destination.status()['state'] === 'open' && Number(destination.status()['pid']))
    process.kill(pid, 'SIGKILL')
    await eventually('another one', () => ![0, pid].includes(Number(destination.status()['pid'])))
  }
  await drained(destination)
  t.deepEqual(new Set(linesIn(out)), new Set(linesOf(15_000)))
})

test('a program that cannot be started, or does not read, hangs nobody and is shown', async (t) => {
  const world = new OutletWorld(t, ['missing', 'deaf'])
  const missing = world.start(new ProgramOutlet(['/no/such/program'], new FileLines()), undefined, 'missing')
  const deaf = world.start(new ProgramOutlet('exec sleep 600', new FileLines()), undefined, 'deaf')
  for (let from = 0; from < 10_000; from += 1000) await world.store(messagesOf(1000, from))
  await eventually('the trouble', () => String(missing.status()['trouble']).includes('cannot be started'))
  t.is(deaf.status()['state'], 'open')
  t.is(deaf.status()['delivered'], 0)
  const pid = Number(deaf.status()['pid'])
  await deaf.stop(AbortSignal.timeout(200))
  await eventually('it is gone', () => !fs.existsSync(`/proc/${pid}/cmdline`) || fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') === '')
  t.true(Number(deaf.status()['lag_bytes']) > 0)
})
