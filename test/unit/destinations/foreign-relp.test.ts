import test from 'ava'
import { Chain } from '../../support/chain.ts'
import { eventually } from '../../support/eventually.ts'
import { RelpReceiver } from './foreign-receivers.ts'
import { drained, identityIn, messagesOf, World } from './foreign-world.ts'

async function prepare(t: Parameters<typeof Chain.make>[0]) {
  const chain = await Chain.make(t)
  const receiver = new RelpReceiver(t, chain.place('relay-identity'))
  const world = new World(t)
  const identity = () => identityIn(chain.place('agent-identity'))
  return { chain, receiver, world, options: { ports: [await receiver.listen()], identity } }
}

test('RELP: every message arrives as it stands in the spool, plain, compressed, in part, with any bytes', async (t) => {
  const { receiver, world, options } = await prepare(t)
  const odd = ['<13>1 - - - - - - a\nb\0c \xff 12 rsp 6', 'x', `<14>1 - - - - - - ${'y'.repeat(700_000)}`]
  const stream = 'ab'.repeat(16)
  await world.store(messagesOf(3000))
  await world.store(
    odd.map((text) => Buffer.from(text, 'latin1')),
    true,
  )
  await world.storeReceived({ origin: 'db01', stream, first: 1, messages: messagesOf(4, 10_000) })
  // Two of these were there before: the window of what is stored begins behind them.
  await world.storeReceived({ origin: 'db01', stream, first: 3, messages: messagesOf(5, 10_002) })
  const destination = world.start(t, 'relp', options)
  const wanted = [...messagesOf(3000), ...odd, ...messagesOf(7, 10_000)]
  await receiver.has(wanted.length)
  await drained(destination)
  t.deepEqual(receiver.messages, wanted)
  await world.store(messagesOf(1, 20_000))
  await receiver.has(wanted.length + 1)
  await drained(destination)
  t.is(world.metrics.get('messagesForwarded'), wanted.length + 1)
  t.regex(receiver.sessions[0]!, /^relp_version=0\n.*\ncommands=syslog/)
  const status = destination.status()
  t.like(status, { kind: 'forward', protocol: 'relp', state: 'ready', relay: `127.0.0.1:${receiver.port}`, trouble: '', lag_bytes: 0 })
  t.regex(String(status['guarantee']), /^at least once: /)
  await destination.stop(AbortSignal.timeout(10_000))
  await eventually('the end of the session', () => receiver.connections[0]!.end === 'in order')
})

test('RELP: the window has an end in messages, and acknowledgements that come late are waited for', async (t) => {
  const { receiver, world, options } = await prepare(t)
  receiver.verdict = () => 'hold'
  await world.store(messagesOf(9000))
  const destination = world.start(t, 'relp', options)
  await receiver.has(4096)
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.is(receiver.messages.length, 4096)
  t.is(world.metrics.get('messagesForwarded'), 0)
  const stopped = destination.stop(AbortSignal.timeout(30_000))
  receiver.release(1000)
  await eventually('acknowledgements', () => world.metrics.get('messagesForwarded') === 1000)
  // Long before all of the window is acknowledged, but not for every single message.
  await receiver.has(4096 + 1000 - 256)
  receiver.verdict = () => 'take'
  receiver.release()
  await stopped
  t.deepEqual(receiver.messages, messagesOf(9000))
  t.is(destination.status()['lag_bytes'], 0)
})

test('RELP: the window has an end in bytes', async (t) => {
  const { receiver, world, options } = await prepare(t)
  receiver.verdict = () => 'hold'
  for (let batch = 0; batch < 8; batch++)
    await world.store(Array.from({ length: 10 }, (_, index) => `${batch}.${index} `.padEnd(100_000, 'z')))
  world.start(t, 'relp', options)
  await receiver.has(21)
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.is(receiver.messages.length, 21)
})

test('RELP: a refused message ends the connection and comes again until it is taken; nothing is dropped and nothing before it is doubled', async (t) => {
  const { receiver, world, options } = await prepare(t)
  const messages = messagesOf(2000)
  receiver.verdict = (message) => (message === messages[777] ? 'refuse' : 'take')
  await world.store(messages)
  const destination = world.start(t, 'relp', options)
  await eventually('three attempts', () => (receiver.connections[2]?.messages.length ?? 0) > 0)
  await eventually('the refusal in words', () => /refused a frame: 500 bad/.test(String(destination.status()['trouble'])))
  t.is(world.metrics.get('messagesForwarded'), 777)
  for (const connection of receiver.connections.slice(1, 3)) t.is(connection.messages[0], messages[777])
  t.is(world.told('relay-failed').length, 1)
  receiver.verdict = () => 'take'
  await drained(destination)
  t.deepEqual([...new Set(receiver.messages)], messages)
  t.is(receiver.messages.filter((message) => message === messages[776]).length, 1)
  t.is(world.metrics.get('messagesForwarded'), 2000)
})

test('RELP: what was not acknowledged comes again on the next connection, what was does not', async (t) => {
  const { receiver, world, options } = await prepare(t)
  const messages = messagesOf(3000)
  receiver.verdict = (_, index) => (index < 1234 ? 'take' : 'hold')
  await world.store(messages.slice(0, 1000))
  await world.store(messages.slice(1000))
  const destination = world.start(t, 'relp', options)
  await eventually('acknowledgements', () => world.metrics.get('messagesForwarded') === 1234)
  await receiver.has(3000)
  receiver.verdict = () => 'take'
  receiver.sockets[0]!.destroy()
  await drained(destination)
  t.deepEqual(receiver.connections[1]!.messages, messages.slice(1234))
  t.is(world.metrics.get('messagesForwarded'), 3000)
})

test('RELP: after a restart it goes on at the first message that was not acknowledged', async (t) => {
  const { receiver, world, options } = await prepare(t)
  const messages = messagesOf(500)
  receiver.verdict = (_, index) => (index < 123 ? 'take' : 'hold')
  await world.store(messages)
  const before = world.start(t, 'relp', options)
  await eventually('acknowledgements', () => world.metrics.get('messagesForwarded') === 123)
  await before.stop(AbortSignal.timeout(100))
  await world.reopen()
  receiver.verdict = () => 'take'
  const after = world.start(t, 'relp', options)
  await drained(after)
  t.deepEqual(receiver.connections[1]!.messages, messages.slice(123))
})

test('RELP: a receiver without the command syslog, one we do not trust and one that is not there are told apart; the next of the list is taken', async (t) => {
  const { chain, receiver, world, options } = await prepare(t)
  receiver.commands = 'other'
  const strange = new RelpReceiver(
    t,
    await chain.issue('strange', { name: 'strange.example.com', role: 'relay', san: ['elsewhere.example.com'] }),
  )
  const good = new RelpReceiver(t, chain.place('relay-identity'))
  const ports = [1, receiver.port, await strange.listen(), await good.listen()]
  await world.store(messagesOf(10))
  const destination = world.start(t, 'relp', { ...options, ports })
  await drained(destination)
  t.deepEqual(good.messages, messagesOf(10))
  const told = world.told('relay-failed')
  t.is(told.length, 3)
  t.regex(told[0]!, /^Cannot reach 127\.0\.0\.1:1: connect ECONNREFUSED/)
  t.regex(told[1]!, /does not take the command syslog/)
  t.regex(told[2]!, /is not the receiver we trust: .*; it presented /)
  t.is(strange.messages.length, 0)
})

test('RELP: back to the preferred receiver once it is up, without repeating anything', async (t) => {
  const { chain, receiver, world, options } = await prepare(t)
  const fallback = new RelpReceiver(t, chain.place('relay-identity'))
  receiver.stop()
  await world.store(messagesOf(10))
  const destination = world.start(t, 'relp', { ...options, ports: [receiver.port, await fallback.listen()], failbackMs: 50 })
  await fallback.has(10)
  await drained(destination)
  await receiver.listen()
  await eventually('the way back', () => world.told('relay-preferred').length === 1)
  await world.store(messagesOf(10, 10))
  await receiver.has(10)
  t.deepEqual(fallback.messages, messagesOf(10))
  t.deepEqual(receiver.messages, messagesOf(10, 10))
})

test('RELP: a record whose messages cannot be read is told of and passed over', async (t) => {
  const { receiver, world, options } = await prepare(t)
  await world.store(messagesOf(2))
  await world.storeReceived({ origin: 'db01', count: 3, payload: Buffer.from('06000000shorter', 'latin1') })
  await world.store(messagesOf(2, 2))
  await world.storeReceived({ origin: 'db01', codec: 1, payload: Buffer.from('not zstd') })
  const destination = world.start(t, 'relp', options)
  await drained(destination)
  t.deepEqual(receiver.messages, messagesOf(4))
  t.is(world.told('record-unreadable').length, 2)
  t.regex(world.told('record-unreadable')[0]!, /^3 messages of db01 cannot be read/)
})
