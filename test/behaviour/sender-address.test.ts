// From where a message came: the address that the first relay saw goes along with it, to this relay's rules and paths and to those of every relay behind it.

import * as dgram from 'node:dgram'
import * as fs from 'node:fs'
import { crc32 } from 'node:zlib'
import test from 'ava'
import { encodeEnvelope, readRecord } from '../../core/spool/batch.ts'
import { CRC_SEED } from '../../core/spool/constants.ts'
import { readHops } from '../../core/spool/hops.ts'
import { Chain, linesOf } from '../support/chain.ts'
import { openDoor, say, sayTls } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { craftRecord, sendFrame } from '../support/hostile-peer.ts'
import { makeIdentity } from '../support/identities.ts'
import { speakFor, startNext } from '../support/next-relay.ts'
import { sendOne } from '../support/send-one.ts'
import { RelpReceiver } from '../unit/destinations/foreign-receivers.ts'

const LISTENERS = (chain: Chain) => [
  { clients: { names: ['*.example.com'] } },
  { tcp: '127.0.0.1:0', name: 'plain.example.com' },
  { tcp: '127.0.0.1:0', name: 'proxied.example.com', proxy: ['127.0.0.1'] },
  { udp: '127.0.0.1:0', name: 'plain.example.com' },
  { unix: chain.place('u'), name: 'local.example.com' },
]

/** Sends one datagram from that address of this host. */
function sendFrom(address: string, port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4')
    socket.bind(0, address, () => socket.send(text, port, '127.0.0.1', () => socket.close(() => resolve())))
  })
}

test('the address of the sender is in rules, paths and lines, on the relay that saw it and on the next one', async (t) => {
  const chain = await Chain.make(t)
  await speakFor(chain, '*.example.com')
  const format = '$SOURCEIP $PEER $HOST $MSG'
  const outside = { any: [{ source_address: ['192.0.2.0/24', '2001:db8::/32'] }, { source_address: '127.0.0.2' }] }
  const places = (where: string) => [
    { files: chain.place(`${where}/all`), format },
    { files: chain.place(`${where}/by/$SOURCEIP/messages`), format: '$MSG' },
    { files: chain.place(`${where}/outside`), when: outside, format: '$MSG' },
    { files: chain.place(`${where}/json`), when: { property: 'fromhost-ip, isequal, "192.0.2.7"' }, format: 'json' },
  ]
  const centre = await startNext(t, chain, 'centre', { destinations: places('there') })
  chain.relayOptions['destinations'] = [...places('here'), { forward: [`localhost:${centre.port}`] }]
  const [tls, plain, proxied, udp] = await openDoor(chain, ...LISTENERS(chain))
  await chain.startAgent()
  sendOne(chain, 'by an agent')
  const box = await makeIdentity(chain, { commonName: 'box7.example.com', dnsNames: ['box7.example.com'], uris: [] })
  await sayTls({ ...tls!, localAddress: '127.0.0.5' }, box, '<13>1 - - app - - - by a device\n')
  await say(plain!, '<13>1 - - app - - - by tcp\n')
  await say(proxied!, 'PROXY TCP4 192.0.2.7 127.0.0.1 4000 90\r\n<13>1 - - app - - - through a proxy\n')
  await say(proxied!, 'PROXY TCP6 2001:db8::7 ::1 4000 90\r\n<13>1 - - app - - - through it by IPv6\n')
  await say({ path: chain.place('u') }, '<13>1 - - app - - - by a local socket\n')
  // Both under one name, and back and forth.
  for (const number of [1, 2, 3])
    for (const address of ['127.0.0.2', '127.0.0.3']) await sendFrom(address, udp!.port, `<13>1 - - app - - - ${number} from ${address}`)
  const own = { box: 'box7.example.com', web: 'web01.example.com', plain: 'plain.example.com', proxied: 'proxied.example.com' }
  const expected = (via: string | undefined): string[] =>
    [
      [`127.0.0.1`, own.web, 'by an agent'],
      [`127.0.0.5`, own.box, 'by a device'],
      [`127.0.0.1`, own.plain, 'by tcp'],
      [`192.0.2.7`, own.proxied, 'through a proxy'],
      [`2001:db8::7`, own.proxied, 'through it by IPv6'],
      [`127.0.0.1`, 'local.example.com', 'by a local socket'],
      ...[1, 2, 3].flatMap((number) => ['127.0.0.2', '127.0.0.3'].map((address) => [address, own.plain, `${number} from ${address}`])),
    ].map(([address, host, text]) => `${address} ${via ?? host} ${host} ${text}`)
  for (const [where, via] of [
    ['here', undefined],
    ['there', 'relay.example.com'],
  ] as const) {
    const all = await chain.lines(12, chain.place(`${where}/all`))
    t.deepEqual([...all].sort(), expected(via).sort(), where)
    const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.5', '192.0.2.7', '2001:db8::7']
    for (const address of addresses) await chain.lines(1, chain.place(`${where}/by/${address}/messages`))
    t.deepEqual(fs.readdirSync(chain.place(`${where}/by`)).sort(), addresses)
    // Of one sender the order is kept.
    t.deepEqual(
      await chain.lines(3, chain.place(`${where}/by/127.0.0.3/messages`)),
      [1, 2, 3].map((number) => `${number} from 127.0.0.3`),
    )
    await chain.lines(5, chain.place(`${where}/outside`))
    t.deepEqual(
      linesOf(chain.place(`${where}/outside`)).sort(),
      ['through a proxy', 'through it by IPv6', ...[1, 2, 3].map((number) => `${number} from 127.0.0.2`)].sort(),
    )
    const [json] = await chain.lines(1, chain.place(`${where}/json`))
    t.is(JSON.parse(json!)['source.ip'], '192.0.2.7')
  }
  // It is in the spool: a start that reads it again says the same.
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
  fs.rmSync(chain.place('here'), { recursive: true })
  fs.rmSync(chain.place('relay-spool/cursors'), { recursive: true })
  await chain.startRelay()
  t.deepEqual([...(await chain.lines(12, chain.place('here/all')))].sort(), expected(undefined).sort())
  await eventually('the next relay to have what it had', () => linesOf(chain.place('there/all')).length === 12)
})

test('what an agent says of the way of its own messages is not believed, and an address that is none is refused', async (t) => {
  const chain = await Chain.make(t)
  chain.relayOptions['destinations'] = [{ files: chain.file, format: '$SOURCEIP $VIA. $MSG' }]
  await chain.startRelay()
  const agent = await makeIdentity(chain, {})
  const record = craftRecord({ origin: 'web01.example.com', messages: ['<13>1 - - app - - - hello'] })
  const claimed = [{ id: '77'.repeat(16), name: 'nowhere', arrivedUs: 1, address: '203.0.113.9' }]
  const lying = Buffer.concat([encodeEnvelope(record.length - 32, { skip: 0, take: 1 }, claimed, 1), record.subarray(32)])
  const nonsense = Buffer.from(lying)
  const envelopeBytes = nonsense.readUInt16LE(12)
  nonsense.write('/../etc', envelopeBytes - 7)
  nonsense.writeUInt32LE(crc32(nonsense.subarray(8, envelopeBytes), CRC_SEED), 4)
  t.regex(await sendFrame(chain, agent, 'batch', nonsense), /^the relay refused a frame: 500 batch: hops do not fit/)
  t.is(await sendFrame(chain, agent, 'batch', lying), 'acknowledged')
  t.deepEqual(await chain.lines(1), ['127.0.0.1 . hello'])
})

test('a relay that knows no addresses of hops gets batches in the earlier form', async (t) => {
  const chain = await Chain.make(t)
  await chain.issue('earlier', { name: 'localhost', role: 'relay', san: ['127.0.0.1'] })
  const earlier = new RelpReceiver(t, chain.place('earlier'))
  earlier.commands = 'syslog,batch'
  chain.relayOptions['destinations'] = [
    { forward: [`127.0.0.1:${await earlier.listen()}`] },
    { files: chain.file, format: '$SOURCEIP $MSG' },
  ]
  const [, plain] = await openDoor(chain, ...LISTENERS(chain))
  await say(plain!, '<13>1 - - app - - - hello\n')
  t.deepEqual(await chain.lines(1), ['127.0.0.1 hello'])
  const batch = Buffer.from(await eventually('the batch', () => earlier.messages[0]), 'latin1')
  t.is(batch[15], 0)
  const result = readRecord(batch, 0, batch.length)
  if (result.kind !== 'record') return t.fail(JSON.stringify(result))
  t.like(readHops(batch, result.head), { length: 1, 0: { name: 'relay.example.com' } })
})
