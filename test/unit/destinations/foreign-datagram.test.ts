import test from 'ava'
import { eventually } from '../../support/eventually.ts'
import { receiveDatagrams } from './foreign-receivers.ts'
import { drained, messagesOf, World } from './foreign-world.ts'

test('UDP: one datagram for each message; what does not fit is cut and counted', async (t) => {
  const receiver = await receiveDatagrams(t)
  const world = new World(t)
  const long = ['a'.repeat(65_507), 'b'.repeat(65_508), 'c'.repeat(200_000), 'last']
  await world.store(messagesOf(2000))
  await world.store(long, true)
  const destination = world.start(t, 'udp', { ports: [receiver.port] })
  await eventually('all datagrams', () => receiver.datagrams.length === 2004)
  t.deepEqual(
    receiver.datagrams.map((datagram) => datagram.toString('latin1')),
    [...messagesOf(2000), ...long.map((message) => message.slice(0, 65_507))],
  )
  t.is(world.metrics.get('messagesCut'), 2)
  t.regex(String(destination.status()['guarantee']), /^best effort.*very long messages are cut$/)
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(destination.status()['lag_bytes'], 0)
  t.is(world.metrics.get('messagesForwarded'), 2004)
})

test('UDP: a closed port is heard of, and the messages come when it opens', async (t) => {
  const { port } = await receiveDatagrams(t).then(async (receiver) => receiver)
  const world = new World(t)
  // Nobody has this one.
  const closed = port === 65_535 ? port - 1 : port + 1
  await world.store(messagesOf(300))
  const destination = world.start(t, 'udp', { ports: [closed] })
  await eventually('the refusal', () => world.told('relay-failed').find((text) => text.includes('nobody listens on that UDP port')))
  t.is(world.metrics.get('messagesForwarded'), 0)
  const receiver = await receiveDatagrams(t, closed)
  const seen = () => new Set(receiver.datagrams.map((datagram) => datagram.toString('latin1')))
  await eventually('all datagrams', () => seen().size === 300)
  t.deepEqual([...seen()].sort(), messagesOf(300).sort())
  world.clock.aheadMs += 10_000
  await drained(destination)
})

test('UDP: what counts is where a name leads', async (t) => {
  const world = new World(t)
  await world.store(messagesOf(1))
  const lookup = async () => [{ address: '192.0.2.7', family: 4 }]
  world.start(t, 'udp', { ports: [], receivers: [{ host: 'localhost', port: 514 }], lookup })
  await eventually('the refusal', () => world.told('relay-failed').find((text) => text.includes('192.0.2.7, which is not this host')))
  t.pass()
})
