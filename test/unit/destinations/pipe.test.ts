// A named pipe made by mkfifo(1), and real readers of it.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { FileLines } from '../../../core/destinations/line-maker.ts'
import { PipeOutlet } from '../../../core/destinations/pipe.ts'
import { eventually } from '../../support/eventually.ts'
import { drained, linesIn, linesOf, messagesOf, OutletWorld } from './outlet-world.ts'

function pipeIn(world: OutletWorld): string {
  const file = world.file('pipe')
  execFileSync('mkfifo', [file])
  return file
}

/** A reader that is a process of its own. */
function startReader(t: ExecutionContext, pipe: string, into: string) {
  const fd = fs.openSync(into, 'a')
  const child = spawn('cat', [pipe], { stdio: ['ignore', fd, 'ignore'] })
  fs.closeSync(fd)
  t.teardown(() => void child.kill('SIGKILL'))
  return child
}

test('a pipe without a reader takes nothing, says so, and gives everything to the reader that comes', async (t) => {
  const world = new OutletWorld(t)
  const pipe = pipeIn(world)
  await world.store(messagesOf(5000))
  const destination = world.start(new PipeOutlet(pipe, new FileLines()))
  await eventually('the trouble', () => world.told('destination-failed').find((text) => text.includes('Nobody reads the pipe')))
  t.is(destination.status()['state'], 'waiting')
  t.is(destination.status()['delivered'], 0)
  startReader(t, pipe, world.file('out'))
  await eventually('all lines', () => linesIn(world.file('out')).length === 5000)
  await world.store(messagesOf(100, 5000))
  await eventually('the rest', () => linesIn(world.file('out')).length === 5100)
  t.deepEqual(linesIn(world.file('out')), linesOf(5100))
  await drained(destination)
  t.is(world.told('destination-recovered').length, 1)
})

test('a reader that stops reading blocks nobody: its cursor waits with what it has not read, and goes on', async (t) => {
  const world = new OutletWorld(t)
  const pipe = pipeIn(world)
  // Not read: the pipe fills up.
  const fd = fs.openSync(pipe, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  t.teardown(() => fs.closeSync(fd))
  const destination = world.start(new PipeOutlet(pipe, new FileLines()))
  for (let from = 0; from < 20_000; from += 1000) await world.store(messagesOf(1000, from))
  let largestPauseMs = 0
  for (let turn = 0, lastMs = performance.now(); turn < 50; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    largestPauseMs = Math.max(largestPauseMs, performance.now() - lastMs)
    lastMs = performance.now()
  }
  t.true(largestPauseMs < 2000, `the event loop stood still for ${largestPauseMs} ms`)
  t.is(destination.status()['state'], 'open')
  t.true(Number(destination.status()['lag_bytes']) > 0)
  t.is(destination.status()['delivered'], 0)
  const parts: Buffer[] = []
  const buffer = Buffer.alloc(65_536)
  await eventually('all bytes', () => {
    try {
      for (let got = fs.readSync(fd, buffer); got > 0; got = fs.readSync(fd, buffer)) parts.push(Buffer.from(buffer.subarray(0, got)))
    } catch (error) {
      t.is((error as NodeJS.ErrnoException).code, 'EAGAIN')
    }
    return destination.status()['lag_bytes'] === 0
  })
  t.deepEqual(Buffer.concat(parts).toString().split('\n').slice(0, -1), linesOf(20_000))
})

test('lines longer than the pipe holds, control characters, and a file in its place', async (t) => {
  const world = new OutletWorld(t)
  const pipe = pipeIn(world)
  const destination = world.start(new PipeOutlet(pipe, new FileLines()))
  const long = `<13>1 2026-01-01T00:00:00Z web01 app - - - ${'y'.repeat(200_000)}`
  await world.store([long, '<13>1 2026-01-01T00:00:00Z web01 app - - - a\x1b[31m\nb', ...messagesOf(1)])
  startReader(t, pipe, world.file('out'))
  await drained(destination)
  await eventually('the lines', () => linesIn(world.file('out')).length === 3)
  const head = '2026-01-01T00:00:00Z web01.example.com app: '
  t.deepEqual(linesIn(world.file('out')), [`${head}${'y'.repeat(200_000)}`, `${head}a#033[31m#012b`, ...linesOf(1)])
  fs.writeFileSync(world.file('plain'), 'mine')
  t.throws(() => new PipeOutlet(world.file('plain'), new FileLines()).open({ onChange: () => undefined, onFailed: () => undefined }), {
    message: /is no named pipe/,
  })
  t.is(fs.readFileSync(world.file('plain'), 'utf8'), 'mine')
})
