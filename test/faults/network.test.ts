// A bad network between agent and relay: everything arrives once and in order.

import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { askStatus } from '../../core/daemon/status-socket.ts'
import { BadNetwork, type Link } from '../support/bad-network.ts'
import { Chain, linesOf, type Status, sizeOf } from '../support/chain.ts'
import { Daemon } from '../support/daemon.ts'
import { effort } from '../support/effort.ts'
import { eventually } from '../support/eventually.ts'
import { withHooks } from '../support/hooked.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { disorder, everyNumber, filedNumbers, missing, total } from '../support/numbered.ts'
import { Random, runSeed } from '../support/random.ts'
import { type Senders, startSenders } from '../support/senders.ts'

interface Behind {
  readonly chain: Chain
  readonly proxy: BadNetwork
}

async function behindProxy(t: ExecutionContext, hooks: readonly string[] = []): Promise<Behind> {
  const chain = await Chain.make(t)
  await chain.startRelay()
  const proxy = await BadNetwork.open(t, () => chain.port)
  chain.agentOptions['relays'] = [`127.0.0.1:${proxy.port}`]
  await withHooks(hooks, () => chain.startAgent())
  await chain.agent.event('relay-connected')
  return { chain, proxy }
}

async function status(chain: Chain, name: 'agent' | 'relay'): Promise<Status> {
  return (await askStatus(chain.place(`${name}-spool`))) as unknown as Status
}

function delivered(chain: Chain): Promise<true> {
  return eventually(
    'the relay to have acknowledged everything',
    async () => (await status(chain, 'agent')).destinations[0]!.lag_bytes === 0,
    () => `${chain.agent.said}\n${chain.relay.said}`,
  )
}

async function arrivesOnce(t: ExecutionContext, chain: Chain, sent: readonly number[]): Promise<void> {
  await delivered(chain)
  const wanted = everyNumber(sent)
  const lines = await chain.lines(total(wanted))
  const filed = filedNumbers(chain.file)
  t.is(disorder(filed), undefined, 'a line is doubled or out of order')
  t.is(missing(wanted, filed), undefined, 'a message was lost')
  t.is(lines.length, total(wanted), 'there is a line more than messages')
}

async function endSenders(senders: Senders): Promise<number[]> {
  senders.stop()
  return (await senders.done).map((one) => one.sent)
}

/** Sends numbered messages as a sender of its own; blocks while the socket's queue is full. */
function sendNumbers(socket: string, sender: string, from: number, to: number): void {
  sendDatagrams(
    socket,
    Array.from({ length: to - from + 1 }, (_, index) => `<13>${sender}: ${from + index} xxx`),
  )
}

function lose(link: Link, direction: 'toRelay' | 'fromRelay', after: number, isAbrupt: boolean): void {
  link.isAbrupt = isAbrupt
  link[direction].limit = after
}

test.serial('connections that are cut after any number of bytes of either direction', async (t) => {
  const seed = runSeed()
  const random = new Random(seed)
  const points = effort({ quick: 30, ci: 120, long: 3000 })
  t.timeout(300_000 + points * 6000)
  const { chain, proxy } = await behindProxy(t)
  // What a connection takes until it is ready: from here on frames and acknowledgements are met.
  const ready = { toRelay: proxy.last.toRelay.passed, fromRelay: proxy.last.fromRelay.passed }
  const senders = startSenders(t, chain, { senders: 2, rate: 1000 })
  const met = { handshake: 0, 'frame header or first batch': 0, batches: 0, acknowledgements: 0 }
  for (let point = 0; point < points; point++) {
    const kind = (['handshake', 'frame header or first batch', 'batches', 'acknowledgements'] as const)[point % 4]!
    const direction = kind === 'acknowledgements' || (kind === 'handshake' && random.chance(0.5)) ? 'fromRelay' : 'toRelay'
    const after = {
      handshake: random.int(0, ready[direction]),
      'frame header or first batch': ready.toRelay + random.int(0, 400),
      batches: ready.toRelay + random.int(400, 60_000),
      acknowledgements: ready.fromRelay + random.int(0, 200),
    }[kind]
    const count = proxy.links.length
    proxy.onLink = (link, number) => {
      if (number === count + 1) lose(link, direction, after, random.chance(0.5))
    }
    proxy.last.isAbrupt = random.chance(0.5)
    proxy.last.cut()
    const link = await proxy.linkAfter(count)
    await eventually('the connection to be cut', () => !link.isOpen)
    met[kind]++
    // The next one may work until something is acknowledged, so that the pauses between attempts stay short.
    const seen = sizeOf(chain.file)
    await eventually('messages to flow again', () => sizeOf(chain.file) > seen + 3000)
  }
  const sent = await endSenders(senders)
  await arrivesOnce(t, chain, sent)
  const { metrics } = await status(chain, 'relay')
  t.true(metrics['loghop_messages_repeated_total']! > 0, 'no acknowledgement was ever lost, so the cuts have tested little')
  t.log(`LOGHOP_SEED=${seed}: ${points} cuts (${JSON.stringify(met)}), ${sent.reduce((a, b) => a + b)} messages, all once and in order`)
  t.log(`${metrics['loghop_messages_repeated_total']} came again after a lost acknowledgement and were not stored twice`)
})

test.serial('acknowledgements that are lost: what comes again is acknowledged and not stored again', async (t) => {
  const { chain, proxy } = await behindProxy(t)
  proxy.last.fromRelay.mode = 'drop'
  sendNumbers(chain.socket, 's1', 1, 3000)
  await chain.lines(3000)
  t.true((await status(chain, 'agent')).destinations[0]!.lag_bytes > 0, 'an acknowledgement came through')
  const before = (await status(chain, 'relay')).spool.used_bytes
  proxy.last.cut()
  await delivered(chain)
  const after = await status(chain, 'relay')
  t.is(after.metrics['loghop_messages_stored_total'], 3000)
  t.is(after.metrics['loghop_messages_repeated_total'], 3000)
  t.is(after.spool.used_bytes, before, 'the relay has stored something again')
  await arrivesOnce(t, chain, [3000])
})

test.serial('a stalled, then a very slow network: all that is held up arrives once', async (t) => {
  const { chain, proxy } = await behindProxy(t)
  const senders = startSenders(t, chain, { senders: 2, rate: 2000 })
  await chain.lines(1000)
  for (const mode of ['hold', 1024] as const) {
    for (const direction of ['toRelay', 'fromRelay'] as const) {
      proxy.last[direction].mode = mode
      await new Promise((resolve) => setTimeout(resolve, effort({ quick: 1500, ci: 3000, long: 15_000 })))
      proxy.last[direction].mode = 'pass'
      const seen = linesOf(chain.file).length
      await chain.lines(seen + 500)
    }
  }
  t.is(proxy.links.length, 1, 'the agent gave up a connection that was only slow')
  await arrivesOnce(t, chain, await endSenders(senders))
})

for (const direction of ['toRelay', 'fromRelay'] as const) {
  test.serial(`a connection that is dead ${direction === 'toRelay' ? 'towards' : 'from'} the relay is given up after 30 s`, async (t) => {
    const isLong = effort({ quick: 0, ci: 0, long: 1 }) === 1
    const { chain, proxy } = await behindProxy(t, isLong ? [] : ['fast-time'])
    sendNumbers(chain.socket, 's1', 1, 100)
    await chain.lines(100)
    proxy.last[direction].mode = 'drop'
    const mark = chain.agent.mark
    const since = performance.now()
    sendNumbers(chain.socket, 's1', 101, 200)
    t.regex(await chain.agent.event('relay-failed', mark), /no acknowledgement within 30 s/)
    const waited = (performance.now() - since) / (isLong ? 1 : 100)
    t.true(waited > (isLong ? 29_000 : 29) && waited < (isLong ? 45_000 : 45), `given up after ${waited}`)
    await arrivesOnce(t, chain, [200])
  })
}

test.serial('a relay that accepts the connection and then says nothing is given up too', async (t) => {
  const { chain, proxy } = await behindProxy(t, ['fast-time'])
  const ready = proxy.last.fromRelay.passed
  sendNumbers(chain.socket, 's1', 1, 100)
  await chain.lines(100)
  const count = proxy.links.length
  // The handshake is whole; the answer to `open` never comes.
  proxy.onLink = (link, number) => {
    if (number !== count + 1) return
    const timer = setInterval(() => {
      if (link.fromRelay.passed < ready - 400) return
      link.fromRelay.mode = 'drop'
      clearInterval(timer)
    }, 0)
  }
  proxy.last.cut()
  await proxy.linkAfter(count)
  sendNumbers(chain.socket, 's1', 101, 200)
  await proxy.linkAfter(count + 1)
  await arrivesOnce(t, chain, [200])
})

test.serial('a connection whose last bytes arrive after those of the next one', async (t) => {
  const rounds = effort({ quick: 5, ci: 10, long: 200 })
  t.timeout(300_000 + rounds * 15_000)
  const { chain, proxy } = await behindProxy(t)
  // What a connection takes until it is ready: held up before that, it would be given up before it carries a message.
  const ready = proxy.last.toRelay.passed
  const senders = startSenders(t, chain, { senders: 2, rate: 2000 })
  for (let round = 0; round < rounds; round++) {
    const old = await eventually('bytes on their way', () => {
      const link = proxy.last
      if (link.toRelay.passed <= ready) return undefined
      link.isWhole = false
      link.toRelay.mode = 'hold'
      return link.toRelay.heldBytes > 20_000 ? link : undefined
    })
    const count = proxy.links.length
    old.leaveClient()
    await proxy.linkAfter(count)
    // Half of the rounds before the new connection has brought anything, half of them after.
    const seen = sizeOf(chain.file)
    if (round % 2 === 0) await chain.grown(seen + 15_000)
    old.toRelay.mode = 'pass'
    await chain.grown(seen + 75_000)
    old.cut()
  }
  await arrivesOnce(t, chain, await endSenders(senders))
  t.true(
    (await status(chain, 'relay')).metrics['loghop_messages_repeated_total']! > 0,
    'the old connections brought nothing that had come already',
  )
})

test.serial('a second agent with a copy of the identity: what both send arrives once', async (t) => {
  const { chain, proxy } = await behindProxy(t)
  const second = chain.place('second')
  const config = chain.place('second.yaml')
  fs.writeFileSync(
    config,
    JSON.stringify({
      ...chain.agentOptions,
      spool: { directory: chain.place('second-spool') },
      sources: [{ unix: second }],
      relays: [`127.0.0.1:${proxy.port}`],
    }),
  )
  const copy = Daemon.spawn(t, 'agent', config)
  await copy.event('relay-connected')
  for (let part = 0; part < 10; part++) {
    sendNumbers(chain.socket, 's1', part * 500 + 1, (part + 1) * 500)
    sendNumbers(second, 's2', part * 500 + 1, (part + 1) * 500)
    // Each of them is cut off in turn, and comes again while the other one is connected.
    if (part % 3 === 2) proxy.links.findLast((link) => link.isOpen)?.cut()
  }
  await eventually('the copy to have delivered everything', async () => {
    const said = (await askStatus(chain.place('second-spool'))) as unknown as Status
    return said.destinations[0]!.lag_bytes === 0
  })
  await arrivesOnce(t, chain, [5000, 5000])
})
