import test from 'ava'
import { createLog } from '../../../core/base/log.ts'
import { Tail } from '../../../core/destinations/foreign/tail.ts'
import { messageSelects } from '../../../core/destinations/selector-selects.ts'
import { SharedRecords } from '../../../core/destinations/shared-records.ts'
import type { RecordHead } from '../../../core/spool/batch.ts'
import type { Position } from '../../../core/spool/position.ts'
import { writeOctetCounted } from '../../../core/transport/octet-counted.ts'
import { Chain } from '../../support/chain.ts'
import { eventually } from '../../support/eventually.ts'
import { LineReceiver, OctetReceiver } from './foreign-receivers.ts'
import { drained, identityIn, JumpingClock, messagesOf, World } from './foreign-world.ts'

test('octet counting counts bytes, with as many digits as it takes', (t) => {
  for (const length of [1, 9, 10, 99, 100, 999, 1000, 65_536, 1_234_567]) {
    const into = Buffer.alloc(length + 20, 0x2e)
    const end = writeOctetCounted(into, 5, Buffer.alloc(length + 2, 0x61), 1, length + 1)
    t.is(into.toString('latin1', 0, end), `.....${length} ${'a'.repeat(length)}`)
    t.is(into[end], 0x2e)
  }
})

test('RFC 5425: every message arrives as it stands in the spool; a stop sends close_notify and moves the cursor to the end', async (t) => {
  const chain = await Chain.make(t)
  const receiver = new OctetReceiver(t, chain.place('relay-identity'))
  const world = new World(t)
  const odd = ['<13>1 - - - - - - a\n5 b\0c \xff', 'x', `<14>1 - - - - - - ${'y'.repeat(700_000)}`]
  await world.store(messagesOf(20_000))
  await world.store(
    odd.map((text) => Buffer.from(text, 'latin1')),
    true,
  )
  const identity = () => identityIn(chain.place('agent-identity'))
  world.clock.stop()
  const destination = world.start(t, 'syslog-tls', { ports: [await receiver.listen()], identity })
  await receiver.has(20_003)
  t.regex(String(destination.status()['guarantee']), /^best effort: /)
  t.true(Number(destination.status()['lag_bytes']) > 0, 'nothing counts as arrived as soon as it is sent')
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(destination.status()['lag_bytes'], 0)
  t.deepEqual(receiver.connections, [{ messages: [...messagesOf(20_000), ...odd], end: 'in order' }])
  t.is(world.metrics.get('messagesForwarded'), 20_003)
})

test('lines: every message arrives in a frame of its own, and those that hold what a line cannot are escaped and counted', async (t) => {
  const chain = await Chain.make(t)
  const receiver = new LineReceiver(t, chain.place('relay-identity'))
  const world = new World(t)
  const odd = ['<13>1 - - - - - - a\nb\0c \xff', '12 <13>forged', `<14>1 - - - - - - ${'y\n'.repeat(200_000)}`]
  await world.store(messagesOf(20_000))
  await world.store(
    odd.map((text) => Buffer.from(text, 'latin1')),
    true,
  )
  const identity = () => identityIn(chain.place('agent-identity'))
  const destination = world.start(t, 'syslog-tls', { ports: [await receiver.listen()], identity, framing: 'lines' })
  await receiver.has(20_003)
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(destination.status()['lag_bytes'], 0)
  const sent = ['<13>1 - - - - - - a#012b#000c \xff', '#0612 <13>forged', `<14>1 - - - - - - ${'y#012'.repeat(200_000)}`]
  t.deepEqual(receiver.connections, [{ messages: [...messagesOf(20_000), ...sent], end: 'in order' }])
  t.is(world.metrics.get('messagesEscaped'), 3)
})

test('RFC 5425: a receiver that refuses our certificate after the handshake costs nothing, and the log explains it', async (t) => {
  const chain = await Chain.make(t)
  const receiver = new OctetReceiver(t, chain.place('relay-identity'))
  const world = new World(t)
  await world.store(messagesOf(100))
  const identity = () => ({ ...identityIn(chain.place('agent-identity')), key: '', cert: '' })
  const withoutCertificate = () => {
    const { ca, revoked } = identity()
    return { ca, revoked } as ReturnType<typeof identity>
  }
  let isWithout = true
  const destination = world.start(t, 'syslog-tls', {
    ports: [await receiver.listen()],
    identity: () => (isWithout ? withoutCertificate() : identityIn(chain.place('agent-identity'))),
  })
  await eventually('the refusal', () => world.told('relay-failed').find((text) => /alert/.test(text)))
  t.regex(world.told('relay-failed')[0]!, /Ours is a certificate of the test\. See the receiver's log/)
  t.is(receiver.messages.length, 0)
  isWithout = false
  await receiver.has(100)
  await destination.stop(AbortSignal.timeout(10_000))
  t.deepEqual(receiver.messages, messagesOf(100))
})

test('TCP: a receiver that breaks off within frames, again and again, still gets every message', async (t) => {
  const receiver = new OctetReceiver(t)
  const world = new World(t)
  let breaks = 4
  receiver.onMessage = (socket, { messages }) => {
    if (messages.length < 700 || breaks === 0) return
    breaks--
    if (breaks % 2 === 0) socket.resetAndDestroy()
    else socket.destroy()
  }
  for (let batch = 0; batch < 20; batch++) await world.store(messagesOf(1000, batch * 1000), batch % 2 === 1)
  const destination = world.start(t, 'tcp', { ports: [await receiver.listen()] })
  await receiver.has(20_000)
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(receiver.connections.length, 5)
  t.deepEqual([...new Set(receiver.messages)].sort(), messagesOf(20_000).sort())
  t.deepEqual(receiver.connections.at(-1)!.messages, messagesOf(20_000), 'nothing was old enough to count as arrived')
  t.is(destination.status()['lag_bytes'], 0)
})

test('TCP: what is older than the tail is not sent again, the tail is', async (t) => {
  const receiver = new OctetReceiver(t)
  const world = new World(t)
  await world.store(messagesOf(1000))
  const destination = world.start(t, 'tcp', { ports: [await receiver.listen()] })
  await receiver.has(1000)
  world.clock.aheadMs += 10_000
  await drained(destination)
  world.clock.stop()
  await world.store(messagesOf(50, 1000))
  await receiver.has(1050)
  receiver.sockets[0]!.destroy()
  await eventually('the tail again', () => receiver.connections[1]?.messages.length === 50)
  t.deepEqual(receiver.connections[1]!.messages, messagesOf(50, 1000))
})

test('TCP: a receiver that does not read holds the rest back', async (t) => {
  const receiver = new OctetReceiver(t)
  const world = new World(t)
  await receiver.listen()
  for (let batch = 0; batch < 40; batch++) await world.store(Array.from({ length: 10 }, (_, index) => `${batch}.${index} `.padEnd(100_000)))
  receiver.onMessage = (socket) => {
    receiver.onMessage = () => undefined
    socket.pause()
  }
  const destination = world.start(t, 'tcp', { ports: [receiver.port] })
  await eventually('the first message', () => receiver.messages.length > 0)
  await new Promise((resolve) => setTimeout(resolve, 300))
  world.clock.aheadMs += 60_000
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.is(world.metrics.get('messagesForwarded'), 0, 'nothing counts as arrived while the receiver is behind')
  receiver.sockets[0]!.resume()
  await receiver.has(400)
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(receiver.messages.length, 400)
})

// Serial: the memory of tests beside it would count.
test.serial('TCP: many small batches before a receiver that does not read take little memory', async (t) => {
  const receiver = new OctetReceiver(t)
  const world = new World(t)
  await receiver.listen()
  receiver.onMessage = (socket) => {
    receiver.onMessage = () => undefined
    socket.pause()
  }
  for (let batch = 0; batch < 20; batch++) await world.store(Array.from({ length: 10 }, (_, index) => `${batch}.${index} `.padEnd(100_000)))
  const destination = world.start(t, 'tcp', { ports: [receiver.port] })
  await eventually('the first message', () => receiver.messages.length > 0)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const before = process.memoryUsage().arrayBuffers
  for (let batch = 0; batch < 400; batch++) await world.store([`small ${batch}`])
  const grown = process.memoryUsage().arrayBuffers - before
  t.true(grown < 32 << 20, `grown by ${grown} bytes`)
  receiver.sockets[0]!.resume()
  await receiver.has(600)
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(new Set(receiver.messages).size, 600)
})

test('TCP: what counts is where a name leads, not how it is spelt', async (t) => {
  const receiver = new OctetReceiver(t)
  const port = await receiver.listen()
  const world = new World(t)
  await world.store(messagesOf(5))
  let addresses = [
    { address: '127.0.0.1', family: 4 },
    { address: '192.0.2.7', family: 4 },
  ]
  const receivers = [{ host: 'localhost', port }]
  const destination = world.start(t, 'tcp', { ports: [], receivers, lookup: async () => addresses })
  await eventually('the refusal', () => world.told('relay-failed').length > 0)
  t.regex(world.told('relay-failed')[0]!, /localhost resolves to 192\.0\.2\.7, which is not this host.* Correct the entry of that name/)
  t.is(receiver.connections.length, 0)
  addresses = [{ address: '127.0.0.1', family: 4 }]
  await receiver.has(5)
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(destination.status()['lag_bytes'], 0)
})

test('TCP: to another host when that is accepted', async (t) => {
  const receiver = new OctetReceiver(t)
  const port = await receiver.listen()
  const world = new World(t)
  await world.store(messagesOf(5))
  // The second is outside; the first answers.
  const lookup = async () => [
    { address: '127.0.0.1', family: 4 },
    { address: '192.0.2.7', family: 4 },
  ]
  world.start(t, 'tcp', { ports: [], receivers: [{ host: 'far.example.com', port }], lookup, mayLeaveHost: true })
  await receiver.has(5)
  t.deepEqual(receiver.messages, messagesOf(5))
})

test('Tail: nothing is done in the first five seconds, then what is a second old', (t) => {
  const clock = new (class extends JumpingClock {
    override monotonicMs(): number {
      return this.aheadMs
    }
  })()
  let done = 0
  const tail = new Tail(clock, (messages) => {
    done += messages
  })
  const at = (ms: number, isBehind = false): number => {
    clock.aheadMs = ms
    tail.settle(isBehind)
    return done
  }
  tail.hand(10, 1000)
  t.is(at(4999), 0)
  tail.hand(5, 500)
  t.is(at(5000), 10)
  t.is(at(5998), 10)
  t.is(at(5999), 15)
  t.true(tail.isEmpty)
  // While the receiver is behind, what the systems may still hold is kept however old it is.
  tail.hand(1, 8 << 20)
  clock.aheadMs += 100
  tail.hand(2, 8 << 20)
  clock.aheadMs += 100
  tail.hand(4, 6 << 20)
  t.is(at(60_000, true), 16)
  t.is(at(60_000, false), 22)
  tail.hand(3, 1)
  tail.settleAll()
  t.is(done, 25)
})

test('TCP with a choice: across breaks every chosen message arrives, no other, and the cursor passes over what is not sent', async (t) => {
  const receiver = new OctetReceiver(t)
  const world = new World(t)
  let breaks = 3
  receiver.onMessage = (socket, { messages }) => {
    if (messages.length < 200 || breaks === 0) return
    breaks--
    socket.resetAndDestroy()
  }
  for (let batch = 0; batch < 10; batch++) await world.store(messagesOf(1000, batch * 1000), batch % 2 === 1)
  // Whole records without a chosen message, at the end and within.
  await world.store(messagesOf(500, 1_000_001).filter((text) => !text.endsWith('7')))
  const records = new SharedRecords(
    'loghost',
    createLog('error', 'text', () => undefined),
    world.metrics,
  )
  const chosen = {
    selects: messageSelects({ select: '*.notice', when: { message: '/7$/', host: 'web01.example.com' } })!,
    contextOf: (bytes: Buffer, head: RecordHead, end: Position) => records.contextOf(bytes, head, end),
  }
  const destination = world.start(t, 'tcp', { ports: [await receiver.listen()], chosen })
  const wanted = messagesOf(10_000).filter((text) => text.endsWith('7'))
  await receiver.has(1000)
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(receiver.connections.length, 4)
  t.deepEqual(receiver.connections.at(-1)!.messages, wanted)
  t.deepEqual([...new Set(receiver.messages)].sort(), [...wanted].sort())
  t.is(destination.status()['lag_bytes'], 0)
})
