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

/** Moves what is in the pipe into a file without holding it, so that what it has read when it is killed is in the file. */
const MOVER = `
import os, sys
pipe = os.open(sys.argv[1], os.O_RDONLY)
out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT, 0o600)
while os.splice(pipe, out, 1 << 20): pass
`

/** Reads pieces that end within lines, and is gone after some of them. */
const BITER = `
import os, sys, signal
pipe = os.open(sys.argv[1], os.O_RDONLY)
with open(sys.argv[2], 'ab', 0) as out:
    for piece in range(int(sys.argv[3])):
        bytes = os.read(pipe, 977)
        if not bytes: sys.exit(0)
        out.write(bytes)
os.kill(os.getpid(), signal.SIGKILL)
`

function startPython(t: ExecutionContext, program: string, ...words: string[]) {
  const child = spawn('python3', ['-c', program, ...words], { stdio: ['ignore', 'ignore', 'inherit'] })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  t.teardown(() => void child.kill('SIGKILL'))
  return { child, gone }
}

/** Lines of different lengths, so that they end anywhere in a page. */
async function storeLengthy(world: OutletWorld, count: number): Promise<string[]> {
  const lengthy = messagesOf(count).map((message, index) => `${message} ${'x'.repeat((index * 37) % 91)}`)
  for (let from = 0; from < count; from += 3000) await world.store(lengthy.slice(from, from + 3000), from % 2000 === 0)
  return linesOf(count).map((line, index) => `${line} ${'x'.repeat((index * 37) % 91)}`)
}

test('readers that are killed again and again: every line comes to one of them, and each starts with a whole line', async (t) => {
  const world = new OutletWorld(t)
  const pipe = pipeIn(world)
  const destination = world.start(new PipeOutlet(pipe, new FileLines()))
  const wanted = await storeLengthy(world, 30_000)
  const isDrained = () => destination.status()['lag_bytes'] === 0
  const told = () => JSON.stringify(destination.status())
  let readers = 0
  while (!isDrained()) {
    const out = world.file(`out-${readers++}`)
    const { child, gone } = startPython(t, MOVER, pipe, out)
    await eventually('something read, or the end', () => linesIn(out).length > 3000 || isDrained(), told)
    child.kill('SIGKILL')
    await gone
    await eventually('that its end is noticed', () => isDrained() || destination.status()['state'] === 'waiting', told)
    if (readers > 500) return void t.fail('no progress')
  }
  t.true(readers > 1, 'nobody was killed with lines unread')
  const seen = new Set(wanted)
  for (let index = 0; index < readers; index++) {
    for (const line of linesIn(world.file(`out-${index}`))) {
      t.regex(line, /^2026-01-01T00:00:00Z web01.example.com app: number \d+ x*$/)
      seen.delete(line)
    }
  }
  t.is(seen.size, 0)
})

test('a reader that is killed within a line has the line come again, whole and first, to the next one', async (t) => {
  const world = new OutletWorld(t)
  const pipe = pipeIn(world)
  const destination = world.start(new PipeOutlet(pipe, new FileLines()))
  const wanted = await storeLengthy(world, 200)
  // Somebody has it open until all is written: then no write tells that the reader is gone.
  const holder = fs.openSync(pipe, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  await eventually('that it is open', () => destination.status()['state'] === 'open')
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  const first = startPython(t, BITER, pipe, world.file('first'), '3')
  await first.gone
  fs.closeSync(holder)
  await eventually('that its end is noticed', () => destination.status()['state'] === 'waiting')
  startReader(t, pipe, world.file('second'))
  await drained(destination)
  await eventually('the last line', () => linesIn(world.file('second')).at(-1) === wanted.at(-1))
  const whole = linesIn(world.file('first'))
  t.deepEqual([...whole, ...linesIn(world.file('second'))], wanted)
  t.false(fs.readFileSync(world.file('first'), 'utf8').endsWith('\n'), 'it was not killed within a line')
})

test('readers that die within lines and are replaced at once: nothing waits for ever, and together they have every line', async (t) => {
  const world = new OutletWorld(t)
  const pipe = pipeIn(world)
  const destination = world.start(new PipeOutlet(pipe, new FileLines()))
  const wanted = await storeLengthy(world, 1200)
  const out = world.file('out')
  for (let readers = 0; destination.status()['lag_bytes'] !== 0; readers++) {
    const { child } = startPython(t, BITER, pipe, out, String(1 + ((readers * 7) % 40)))
    const isGone = () => child.exitCode !== null || child.signalCode !== null
    await eventually('a reader to end, or the end', () => isGone() || destination.status()['lag_bytes'] === 0)
    if (readers > 500) return void t.fail('no progress')
  }
  await eventually('the last line', () => fs.readFileSync(out, 'utf8').endsWith(`${wanted.at(-1)}\n`))
  const all = fs.readFileSync(out, 'utf8')
  t.deepEqual(
    wanted.filter((line) => !all.includes(`${line}\n`)),
    [],
  )
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
