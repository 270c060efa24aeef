// System calls of a running relay or agent fail, and disks are full: the daemon stays up, says so, acknowledges nothing that it could not store, and goes on
// by itself when the fault ends. Everything arrives once.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { askStatus } from '../../core/daemon/status-socket.ts'
import { AGENT_NAME, Chain, linesOf, type Status } from '../support/chain.ts'
import { effort } from '../support/effort.ts'
import { eventually } from '../support/eventually.ts'
import { type Injected, injectErrors, missingForErrors } from '../support/injected-errors.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { smallDisk } from '../support/loop-disk.ts'
import { disorder, everyNumber, filedNumbers, missing, total } from '../support/numbered.ts'
import { startSenders } from '../support/senders.ts'

async function status(chain: Chain, name: 'agent' | 'relay'): Promise<Status> {
  const options = name === 'agent' ? chain.agentOptions : chain.relayOptions
  return (await askStatus((options['spool'] as { directory: string }).directory)) as unknown as Status
}

async function arrivesOnce(t: ExecutionContext, chain: Chain, sent: readonly number[]): Promise<void> {
  const wanted = everyNumber(sent)
  await chain.lines(total(wanted))
  const filed = filedNumbers(chain.file)
  t.is(disorder(filed), undefined, 'a line is doubled or out of order')
  t.is(missing(wanted, filed), undefined, 'a message was lost')
  t.deepEqual(fs.readdirSync(path.dirname(chain.file)), ['messages'], 'something was set aside as foreign')
}

/** Says by name what is not run, where something it needs is not there. */
function cannotRun(t: ExecutionContext): boolean {
  const wanting = missingForErrors()
  if (wanting.length === 0) return false
  t.log(`NOT RUN: ${t.title}, for want of ${wanting.join(', ')}`)
  t.pass()
  return true
}

function segments(spool: string): string[] {
  return Array.from({ length: 9 }, (_, index) => path.join(spool, 'segments', `00000000000${index + 1}.segment`))
}

interface Case {
  readonly who: 'relay' | 'agent'
  readonly what: string
  readonly error: string
  readonly calls: readonly string[]
  paths(chain: Chain): string[]
  /** What it says. */
  readonly event: string
  /** While the fault lasts nothing is acknowledged to whoever sends. */
  readonly isHeld?: boolean
}

const RELAY_SPOOL = (chain: Chain): string[] => segments(chain.place('relay-spool'))
const RELAY_CURSORS = (chain: Chain): string[] => documents(chain.place('relay-spool'))
const AGENT_CURSORS = (chain: Chain): string[] => documents(chain.place('agent-spool'))
const FILES = (chain: Chain): string[] => [chain.file]

function documents(spool: string): string[] {
  const cursors = fs.readdirSync(path.join(spool, 'cursors')).map((name) => path.join(spool, 'cursors', name))
  const streams = path.join(spool, 'streams')
  return [...cursors, ...cursors.map((file) => `${file}.new`), streams, `${streams}.new`, path.join(spool, 'cursors')]
}

const CASES: readonly Case[] = [
  { who: 'relay', what: 'its spool', error: 'ENOSPC', calls: ['pwrite64'], paths: RELAY_SPOOL, event: 'store-failed', isHeld: true },
  { who: 'relay', what: 'its spool', error: 'EIO', calls: ['pwrite64'], paths: RELAY_SPOOL, event: 'store-failed', isHeld: true },
  { who: 'relay', what: 'its spool', error: 'EIO', calls: ['fdatasync'], paths: RELAY_SPOOL, event: 'spool-sync-failed', isHeld: true },
  { who: 'relay', what: 'its cursors', error: 'EIO', calls: ['fsync'], paths: RELAY_CURSORS, event: 'checkpoint-failed' },
  { who: 'relay', what: 'its cursors', error: 'ENOSPC', calls: ['write', 'pwrite64'], paths: RELAY_CURSORS, event: 'checkpoint-failed' },
  { who: 'relay', what: 'its cursors', error: 'EIO', calls: ['rename'], paths: RELAY_CURSORS, event: 'checkpoint-failed' },
  { who: 'relay', what: 'its cursors', error: 'EMFILE', calls: ['openat'], paths: RELAY_CURSORS, event: 'checkpoint-failed' },
  { who: 'relay', what: "a host's file", error: 'ENOSPC', calls: ['write'], paths: FILES, event: 'files-failed' },
  { who: 'relay', what: "a host's file", error: 'EIO', calls: ['write'], paths: FILES, event: 'files-failed' },
  { who: 'relay', what: "a host's file", error: 'EIO', calls: ['fdatasync'], paths: FILES, event: 'checkpoint-failed' },
  {
    who: 'agent',
    what: 'its spool',
    error: 'EIO',
    calls: ['fdatasync'],
    paths: (chain) => segments(chain.place('agent-spool')),
    event: 'spool-sync-failed',
  },
  { who: 'agent', what: 'its cursors', error: 'EIO', calls: ['fsync'], paths: AGENT_CURSORS, event: 'checkpoint-failed' },
  { who: 'agent', what: 'its cursors', error: 'EMFILE', calls: ['openat'], paths: AGENT_CURSORS, event: 'checkpoint-failed' },
]

for (const { who, what, error, calls, paths, event, isHeld } of CASES) {
  test.serial(`${who}: ${calls.join(' and ')} of ${what} fails with ${error}`, async (t) => {
    if (cannotRun(t)) return
    const chain = await Chain.start(t)
    const senders = startSenders(t, chain, { senders: 2, rate: 1000 })
    await chain.lines(500)
    const daemon = chain[who]
    const mark = daemon.mark
    const injected: Injected = { calls, error, paths: paths(chain) }
    const end = await injectErrors(t, daemon.pid, injected)
    t.regex(await daemon.event(event, mark), new RegExp(error))
    // What was on its way when the fault began may still come.
    await new Promise((resolve) => setTimeout(resolve, 300))
    const held = (await status(chain, 'agent')).metrics['loghop_messages_forwarded_total']
    await new Promise((resolve) => setTimeout(resolve, effort({ quick: 700, ci: 1500, long: 5000 })))
    const now = (await status(chain, 'agent')).metrics['loghop_messages_forwarded_total']
    if (isHeld === true) t.is(now, held, 'something was acknowledged that could not be stored')
    t.is((await status(chain, who)).pid, daemon.pid)
    await end()
    const seen = linesOf(chain.file).length
    await chain.lines(seen + 500)
    // Now and then, for a while longer.
    const endAgain = await injectErrors(t, daemon.pid, { ...injected, when: '2+3' })
    await new Promise((resolve) => setTimeout(resolve, effort({ quick: 500, ci: 1500, long: 10_000 })))
    await endAgain()
    senders.stop()
    const sent = (await senders.done).map((one) => one.sent)
    await arrivesOnce(t, chain, sent)
    t.deepEqual((await status(chain, 'agent')).loss, {})
    t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null }, chain.agent.said)
    t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null }, chain.relay.said)
    await arrivesOnce(t, chain, sent)
  })
}

/** Takes all space but so much. @returns what gives it back */
function fill(disk: string, leave: number): () => void {
  const stat = fs.statfsSync(disk)
  const file = path.join(disk, 'filler')
  const fd = fs.openSync(file, 'w')
  try {
    for (let left = stat.bavail * stat.bsize - leave; left > 0; ) left -= fs.writeSync(fd, Buffer.alloc(Math.min(left, 65_536)))
  } catch {
    // The daemon was faster: the disk is full as well.
  } finally {
    fs.closeSync(fd)
  }
  return () => fs.rmSync(file)
}

for (const [name, event] of [
  ['spool', 'store-failed'],
  ['files', 'files-failed'],
] as const) {
  test.serial(`the disk of the relay's ${name} is full`, async (t) => {
    if (cannotRun(t)) return
    const disk = smallDisk(t, 48 << 20)
    const chain = await Chain.make(t)
    if (name === 'spool') chain.relayOptions['spool'] = { directory: path.join(disk, 'relay-spool') }
    else chain.relayOptions['destinations'] = [{ files: path.join(disk, '$HOST/messages') }]
    const file = name === 'spool' ? chain.file : path.join(disk, AGENT_NAME, 'messages')
    await chain.startRelay()
    await chain.startAgent()
    const senders = startSenders(t, chain, { senders: 2, rate: 3000, bytes: 400 })
    await chain.lines(500, file)
    const free = fill(disk, 300_000)
    await chain.relay.event(event)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    t.is((await status(chain, 'relay')).pid, chain.relay.pid)
    free()
    await chain.lines(linesOf(file).length + 500, file)
    senders.stop()
    const wanted = everyNumber((await senders.done).map((one) => one.sent))
    await chain.lines(total(wanted), file)
    const filed = filedNumbers(file)
    t.is(disorder(filed), undefined)
    t.is(missing(wanted, filed), undefined)
    t.is(linesOf(file).length, total(wanted))
  })
}

/** Sends messages of severity debug and err in turn, 1 KB each. */
function sendMixed(chain: Chain, count: number): void {
  const rest = 'x'.repeat(1000)
  const part = 2000
  for (let from = 0; from < count; from += part)
    sendDatagrams(
      chain.socket,
      Array.from({ length: part }, (_, index) =>
        (from + index) % 2 === 0 ? `<15>s1: ${from + index} ${rest}` : `<11>s2: ${from + index} ${rest}`,
      ),
    )
}

interface Told {
  readonly count: number
  readonly lines: readonly string[]
}

/** What the host's own file says about losses. */
function toldLosses(file: string): Told {
  const lines = linesOf(file).filter((line) => / messages lost at /.test(line))
  return { lines, count: lines.reduce((sum, line) => sum + Number(/(\d+) messages lost at/.exec(line)![1]), 0) }
}

test.serial(
  'the spool of the agent is at its limit: the lowest severity is let go first, counted, and told in the host’s own file',
  async (t) => {
    const chain = await Chain.make(t)
    chain.agentOptions['spool'] = { directory: chain.place('agent-spool'), limit: '64MiB' }
    await chain.startRelay()
    await chain.relay.end('SIGTERM')
    await chain.startAgent()
    // All of severity err fit, not all of severity debug beside them.
    const count = 64_000
    sendMixed(chain, count)
    const before = await eventually('all of them to be taken in', async () => {
      const now = await status(chain, 'agent')
      return (now.metrics['loghop_messages_received_total'] ?? 0) >= count ? now : undefined
    })
    await chain.startRelay()
    const lost = before.loss!['spool-full']!
    t.true(lost > 0)
    await chain.lines(count - lost)
    await eventually(
      'the loss to be told in full',
      () => toldLosses(chain.file).count >= lost,
      () => toldLosses(chain.file).lines.join('\n'),
    )
    const numbers = filedNumbers(chain.file)
    t.is(numbers.get('s2')?.length, count / 2, 'messages of severity err were let go although there were some of severity debug')
    t.is(numbers.get('s1')?.length, count / 2 - lost)
    t.is(disorder(numbers), undefined)
    const told = toldLosses(chain.file)
    t.is(told.count, lost)
    for (const line of told.lines)
      t.regex(line, /lost at web01\.example\.com: the spool is full, lowest severity first, \d{4}-\S+Z to \d{4}-\S+Z$/)
    t.log(`${lost} of ${count} lost, all of severity debug; told: ${told.lines[0]?.slice(-140)}`)
  },
)

test.serial('the disk of the agent’s spool is full: what is lost is counted and told, and it goes on by itself', async (t) => {
  if (cannotRun(t)) return
  const disk = smallDisk(t, 24 << 20)
  const chain = await Chain.make(t)
  chain.agentOptions['spool'] = { directory: path.join(disk, 'agent-spool') }
  await chain.startRelay()
  await chain.relay.end('SIGTERM')
  await chain.startAgent()
  const count = 40_000
  sendMixed(chain, count)
  // Single messages fill what the larger batches have left.
  for (let index = 0; index < 300; index++) {
    sendDatagrams(chain.socket, [`<14>s3: ${index} xxx`])
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await chain.agent.event('loss-begins')
  const before = await eventually('all of them to be taken in', async () => {
    const now = await status(chain, 'agent')
    return (now.metrics['loghop_messages_received_total'] ?? 0) >= count + 300 ? now : undefined
  })
  const lost = Object.values(before.loss!).reduce((sum, one) => sum + one, 0)
  await chain.startRelay()
  await chain.lines(count + 300 - lost)
  await eventually(
    'the loss to be told in full',
    () => toldLosses(chain.file).count >= lost,
    () => `${toldLosses(chain.file).lines.join('\n')}\n${chain.agent.said.slice(-3000)}`,
  )
  t.is(toldLosses(chain.file).count, lost)
  // There is room again.
  sendDatagrams(
    chain.socket,
    Array.from({ length: 1000 }, (_, index) => `<14>s4: ${index + 1} xxx`),
  )
  await eventually(
    'new messages to arrive',
    () => filedNumbers(chain.file).get('s4')?.length === 1000,
    () => chain.agent.said.slice(-3000),
  )
  t.is(disorder(filedNumbers(chain.file)), undefined)
  t.log(`${lost} of ${count + 300} lost: ${JSON.stringify(before.loss)}`)
})
