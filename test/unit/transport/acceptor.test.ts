// Where connections may come from, and where listeners may be, with real sockets.

import * as net from 'node:net'
import test from 'ava'
import { parseNetwork, plainAddress } from '../../../core/base/networks.ts'
import { ActivatedSockets } from '../../../core/platform/activated-sockets.ts'
import { Acceptor, type Turned } from '../../../core/transport/acceptor.ts'
import { AddressRules, sourceOf } from '../../../core/transport/address-rules.ts'
import { placesOf } from '../../../core/transport/bind.ts'
import { handshakeFault } from '../../../core/transport/handshake-errors.ts'

const NONE = new AddressRules({ allow: [], deny: [], proxy: [] })

function networks(...texts: string[]): NonNullable<ReturnType<typeof parseNetwork>>[] {
  return texts.map((text) => parseNetwork(text)!)
}

test('parseNetwork() takes addresses and networks of both families, and nothing else', (t) => {
  t.deepEqual(parseNetwork('192.0.2.0/24'), { address: '192.0.2.0', prefix: 24, family: 'ipv4' })
  t.deepEqual(parseNetwork('::1'), { address: '::1', prefix: 128, family: 'ipv6' })
  for (const text of ['', 'h', '192.0.2.0/33', '::/129', '::/-1', '1.2.3.4/', '1.2.3.4/08', '1.2.3.4/8/8', 'fe80::1%lo'])
    t.is(parseNetwork(text), undefined, text)
})

test('deny counts before allow, an IPv4 address is the same over an IPv6 socket, and a scope is passed over', (t) => {
  const rules = new AddressRules({
    allow: networks('192.0.2.0/24', 'fe80::/10'),
    deny: networks('192.0.2.66'),
    proxy: networks('10.0.0.0/8'),
  })
  t.is(rules.refusedBy('192.0.2.7'), undefined)
  t.is(rules.refusedBy('::ffff:192.0.2.7'), undefined)
  t.is(rules.refusedBy('192.0.2.66'), 'deny')
  t.is(rules.refusedBy('::ffff:192.0.2.66'), 'deny')
  t.is(rules.refusedBy('fe80::7%eth0'), undefined)
  t.is(rules.refusedBy('198.51.100.1'), 'allow')
  t.true(rules.isProxy('10.9.9.9'))
  t.is(plainAddress('::ffff:127.0.0.1'), '127.0.0.1')
})

test('a network of one family never contains an address of the other, unless it is written in its mapped form', (t) => {
  for (const network of ['::/0', '::/64', '::/80']) {
    const rules = new AddressRules({ allow: [], deny: networks(network), proxy: [] })
    t.is(rules.refusedBy('192.0.2.7'), undefined, network)
    t.is(rules.refusedBy('::1'), 'deny', network)
  }
  const mapped = new AddressRules({ allow: [], deny: networks('::ffff:192.0.2.0/120'), proxy: [] })
  t.is(mapped.refusedBy('192.0.2.7'), 'deny')
  t.is(mapped.refusedBy('192.0.3.7'), undefined)
  const ipv4 = new AddressRules({ allow: networks('0.0.0.0/0'), deny: [], proxy: [] })
  t.is(ipv4.refusedBy('2001:db8::1'), 'allow')
})

test('a source is an IPv4 address, or the network of an IPv6 address: a host chooses its other 64 bits itself', (t) => {
  for (const [address, source] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ] as const)
    t.is(sourceOf(address), source)
})

test('a listener without TLS is refused anywhere but on loopback, and localhost stands for its addresses', async (t) => {
  const none = (): readonly number[] => []
  await t.throwsAsync(placesOf({ kind: 'address', host: '0.0.0.0', port: 1 }, none, true), { message: /0\.0\.0\.0 is not loopback/ })
  await t.throwsAsync(placesOf({ kind: 'activated', name: 'x' }, none, true), { message: /systemd has passed no socket of that name/ })
  const places = await placesOf({ kind: 'address', host: 'localhost', port: 1 }, none, true)
  t.true(places.length > 0 && places.every((place) => place.kind === 'address' && net.isIP(place.host) !== 0))
  const elsewhere = async () => [
    { address: '127.0.0.1', family: 4 },
    { address: '192.0.2.7', family: 4 },
  ]
  await t.throwsAsync(placesOf({ kind: 'address', host: 'LocalHost', port: 1 }, none, true, elsewhere), {
    message: /localhost is 192\.0\.2\.7 here, which is not loopback/,
  })
  t.deepEqual(await placesOf({ kind: 'activated', name: 'x' }, () => [3, 4], true), [
    { kind: 'descriptor', fd: 3, name: 'x' },
    { kind: 'descriptor', fd: 4, name: 'x' },
  ])
})

test('a proxy that sends no header in time is turned away, and a full address is too', async (t) => {
  const turned: Turned[] = []
  let tell: () => void = () => undefined
  const places = [{ kind: 'address', host: '127.0.0.1', port: 0 } as const]
  const own = { places, unixMode: 0o600, userOf: () => undefined, userLimit: 1 }
  const common = { ...own, isLocalOnly: true, connectionsLimit: 10, addressLimit: 1, headerLimitMs: 200 }
  const onTurnedAway = (what: Turned): void => {
    turned.push(what)
    tell()
  }
  const events = { onConnection: () => undefined, onTurnedAway }
  for (const rules of [NONE, new AddressRules({ allow: [], deny: [], proxy: networks('127.0.0.1') })]) {
    const acceptor = new Acceptor({ ...common, rules }, events)
    const port = Number(/:(\d+)$/.exec((await acceptor.listen())[0]!)![1])
    const told = new Promise<void>((resolve) => {
      tell = resolve
    })
    const sockets = [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')]
    for (const socket of sockets) socket.on('error', () => undefined)
    await told
    acceptor.close(true)
  }
  t.is(turned[0]!.check, 'address-connections')
  t.true(turned.slice(1).every(({ check }) => check === 'proxy-header'))
})

test('ActivatedSockets gives each descriptor once, by name, to the process it is meant for', (t) => {
  const environment = { LISTEN_PID: '7', LISTEN_FDS: '3', LISTEN_FDNAMES: 'a:b:a', OTHER: 'x' }
  const sockets = new ActivatedSockets(environment, 7)
  t.deepEqual(environment as unknown, { OTHER: 'x' })
  t.deepEqual(sockets.take('a'), [3, 5])
  t.deepEqual(sockets.take('a'), [])
  t.deepEqual(sockets.left, ['b'])
  t.deepEqual(new ActivatedSockets({ LISTEN_PID: '8', LISTEN_FDS: '1' }, 7).left, [])
  t.deepEqual(new ActivatedSockets({ LISTEN_PID: '7', LISTEN_FDS: '-1' }, 7).left, [])
})

test('handshakeFault() explains what it knows, and tells the reason of what it does not', (t) => {
  t.regex(
    handshakeFault(Object.assign(new Error('x'), { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' })).remedy,
    /Install the root of our authority/,
  )
  const unknown = Object.assign(new Error('00EF:error:0A000412:SSL routines:ssl3_read_bytes:odd thing happened:../x.c:1:\n'), {
    code: 'ERR_SSL_ODD',
  })
  t.is(handshakeFault(unknown).found, 'odd thing happened')
})
