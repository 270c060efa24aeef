// Agent, relays and central relay are killed at random moments, also while they start and recover, and come back at once. At the end every message is
// accounted for. LOGHOP_SEED repeats a run's choices.

import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { SLOTS } from '../../core/pipeline/datagram-slots.ts'
import { linesOf } from '../support/chain.ts'
import { effort } from '../support/effort.ts'
import { disorder, filedNumbers, type Numbered, spooledNumbers, total } from '../support/numbered.ts'
import { highest, queueLosses } from '../support/queue-losses.ts'
import { Random, runSeed } from '../support/random.ts'
import { startSenders } from '../support/senders.ts'
import { RELAYS, type RelayName, type TierName, Tiers } from '../support/tiers.ts'

const SENDERS = 3
const RATE = 800
/** Kills of one chain: senders give up when they have waited for too long. */
const PART = 60
/** One call of the receiving thread brings at most so many. */
const RECEIVED_AT_ONCE = 512
/** What the receiving thread can hold while a busy disk keeps the main thread from storing: it dies with the process, as the socket's queue does. */
const ON_THE_WAY = (SLOTS + 1) * RECEIVED_AT_ONCE

interface Killed {
  readonly counts: Map<TierName, number>
  /** While it was starting: recovery was cut short. */
  early: number
  /** The highest numbers that the agent's spool had held, at each kill of it. */
  readonly held: Array<Map<string, number>>
}

async function killAtRandom(t: ExecutionContext, tiers: Tiers, random: Random, kills: number): Promise<Killed> {
  const killed: Killed = { counts: new Map(), early: 0, held: [] }
  let again: TierName | undefined
  for (let round = 0; round < kills; round++) {
    // A third of the kills meets a process that has just been started: after 0 to 400 ms it reads its configuration, recovers, or has barely begun to work.
    await new Promise((resolve) => setTimeout(resolve, again === undefined ? random.int(50, 700) : random.int(0, 400)))
    const name = again ?? random.pick(tiers.names)
    const daemon = tiers.daemon(name)
    if (!daemon.lines.some((line) => line.includes(' started: '))) killed.early++
    const ended = await daemon.end('SIGKILL')
    t.deepEqual(ended, { code: null, signal: 'SIGKILL' }, `it had ended by itself. ${daemon.said}`)
    killed.counts.set(name, (killed.counts.get(name) ?? 0) + 1)
    if (name === 'agent') killed.held.push(highest(spooled(tiers), killed.held.at(-1) ?? new Map()))
    tiers.spawn(name)
    again = random.chance(0.33) ? name : undefined
  }
  return killed
}

function spooled(tiers: Tiers): Numbered {
  return fs.existsSync(`${tiers.spool('agent')}/segments`) ? spooledNumbers(tiers.spool('agent')) : new Map()
}

/** Numbers that occur more than once. */
function doubled(numbered: Numbered): string[] {
  return [...numbered].flatMap(([sender, numbers]) => {
    const twice = numbers.length - new Set(numbers).size
    return twice === 0 ? [] : [`${sender}: ${twice}`]
  })
}

function queueLength(): number {
  const file = '/proc/sys/net/unix/max_dgram_qlen'
  return fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 512
}

function only(relay: RelayName, tiers: Tiers): boolean {
  return (tiers.names as readonly string[]).includes(relay)
}

/** In parts, each with processes and spools of its own. */
async function survive(t: ExecutionContext, relays: readonly RelayName[], kills: number): Promise<void> {
  t.timeout(300_000 + kills * 10_000)
  const seed = runSeed()
  t.log(`LOGHOP_SEED=${seed}`)
  for (let done = 0; done < kills; done += PART) await survivePart(t, relays, Math.min(PART, kills - done), seed + done)
}

async function survivePart(t: ExecutionContext, relays: readonly RelayName[], kills: number, seed: number): Promise<void> {
  const tiers = await Tiers.make(t, { relays })
  await tiers.start()
  const senders = startSenders(t, tiers.chain, { senders: SENDERS, rate: RATE })
  const killed = await killAtRandom(t, tiers, new Random(seed), kills)
  await tiers.daemon('agent').event('started')
  senders.stop()
  const sent = (await senders.done).map((one) => one.sent)
  await tiers.settled()

  const filed = filedNumbers(tiers.file('central'))
  const lost = queueLosses(filed, sent, killed.held)
  const all = sent.reduce((sum, one) => sum + one)
  t.deepEqual(lost.unexplained, [], `lost although the agent had stored them. ${tiers.said}`)
  t.true(lost.most <= queueLength() + 1 + ON_THE_WAY, `one kill of the agent cost ${lost.most} messages, more than queue and thread hold`)
  const central = new Set(linesOf(tiers.file('central')))
  for (const relay of RELAYS.filter((name) => only(name, tiers))) {
    // The agent may have gone back to the first relay before the second one was asked for anything.
    if (relay === 'b' && !fs.existsSync(tiers.file(relay))) {
      t.log('relay b was never needed')
      continue
    }
    const numbers = filedNumbers(tiers.file(relay))
    t.deepEqual(doubled(numbers), [], `${relay} has filed a message twice`)
    const lines = linesOf(tiers.file(relay))
    t.is(lines.length, total(numbers), `${relay} has filed what is no message`)
    t.is(
      lines.find((line) => !central.has(line)),
      undefined,
      `${relay} has filed what central has not, or not the same`,
    )
    t.deepEqual(fs.readdirSync(tiers.chain.place(`${relay}-logs/web01.example.com`)), ['messages'], `${relay} has set something aside`)
  }
  // Another relay took over: what the first one still held arrives later, and each part of it in order.
  if (relays.length === 1) t.is(disorder(filed), undefined, 'a message is out of order')
  const counts = [...killed.counts].map(([name, count]) => `${name} ${count}`).join(', ')
  t.log(`${kills} kills (${counts}; ${killed.early} of them before it had started)`)
  t.log(`${all} sent, ${all - lost.count} stored by the agent, ${total(filed) - 1} at central: lost 0, doubled 0`)
  t.log(
    `${lost.count} were in the socket's queue or on their way to the spool at ${killed.held.length} kills of the agent, at most ${lost.most} at one`,
  )
  const order = relays.length > 1 && disorder(filed) !== undefined ? 'after a failover some arrived later' : 'out of order 0'
  t.log(order)
}

test.serial('agent, relay and central are killed at random moments: nothing is lost, doubled or out of order', (t) =>
  survive(t, ['a'], effort({ quick: 20, ci: 50, long: 400 })),
)

test.serial('the same with a second relay for failover: nothing is lost or doubled', (t) =>
  survive(t, ['a', 'b'], effort({ quick: 30, ci: 60, long: 600 })),
)
