// What RFC 5425 and RFC 8446 want of both sides while a connection stands and when it ends, seen by openssl and on the wire.

import { execFile } from 'node:child_process'
import * as net from 'node:net'
import * as tls from 'node:tls'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Chain } from '../support/chain.ts'
import { watched } from '../support/daemon.ts'
import { DEVICE, fileOf, openDoor } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { makeIdentity } from '../support/identities.ts'
import { drained, identityIn, messagesOf, World } from '../unit/destinations/foreign-world.ts'

const ALERT = 0x15

interface Openssl {
  said: string
  type(text: string): void
  /** Resolves when it has said that. */
  has(pattern: RegExp): Promise<unknown>
  readonly ended: Promise<unknown>
}

/** With -msg it tells every message of TLS that comes (`<<<`) and goes (`>>>`). */
function openssl(t: ExecutionContext, command: 's_client' | 's_server', identity: string, ...args: string[]): Openssl {
  const files = ['-cert', `${identity}/cert.pem`, '-cert_chain', `${identity}/cert.pem`, '-key', `${identity}/key.pem`]
  const child = execFile('openssl', [command, ...args, ...files, '-CAfile', `${identity}/ca.pem`, '-msg'], { maxBuffer: 1 << 26 })
  const ended = watched(t, child)
  const running: Openssl = {
    said: '',
    type: (text) => void child.stdin!.write(text),
    has: (pattern) =>
      eventually(
        String(pattern),
        () => pattern.test(running.said),
        () => running.said.slice(-4000),
      ),
    ended,
  }
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (text: string) => {
      running.said += text
    })
  child.stdin!.on('error', () => undefined)
  return running
}

test.serial('RFC 8446 section 4.6.3: KeyUpdate of a client, with and without request, and our answer', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
  const identity = await chain.issue('box', { name: 'box7.example.com', role: 'agent' })
  const client = openssl(t, 's_client', identity, '-connect', `127.0.0.1:${port!.port}`, '-tls1_3')
  await client.has(/Verify return code: 0/)
  // RELP, since who is asked for a KeyUpdate owes it only before the next thing that it has to say.
  client.type('1 open 36 relp_version=0\ncommands=syslog,batch\n')
  client.type('2 syslog 26 <13>1 - - app - - - before\n')
  await client.has(/2 rsp 6 200 OK/)
  client.type('K\n')
  await client.has(/>>> TLS 1.3, Handshake \[length 0005\], KeyUpdate/)
  client.type('3 syslog 27 <13>1 - - app - - - between\n')
  await client.has(/<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate[\s\S]*3 rsp 6 200 OK/)
  client.type('k\n')
  await eventually('the second one', () => client.said.match(/>>> TLS 1.3, Handshake \[length 0005\], KeyUpdate/g)?.length === 2)
  client.type('4 syslog 25 <13>1 - - app - - - after\n')
  await client.has(/4 rsp 6 200 OK/)
  const lines = await chain.lines(3, fileOf(chain, 'box7.example.com'))
  t.deepEqual(
    lines.map((line) => line.replace(/^.*: /, '')),
    ['before', 'between', 'after'],
  )
  t.is(client.said.match(/<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate/g)?.length, 1)
})

test.serial('RFC 8446 section 4.6.3: KeyUpdate of a receiver, with and without request, and our answer', async (t) => {
  const chain = await Chain.make(t)
  const receiver = await chain.issue('receiver', { name: 'loghost.example.com', role: 'relay', san: ['127.0.0.1'] })
  const port = await fixedPort()
  const server = openssl(t, 's_server', receiver, '-accept', `127.0.0.1:${port}`, '-Verify', '3', '-verify_return_error', '-tls1_3')
  await server.has(/ACCEPT/)
  const world = new World(t)
  await world.store(messagesOf(100))
  world.start(t, 'syslog-tls', { ports: [port], identity: () => identityIn(chain.place('relay-identity')) })
  await server.has(/number 99/)
  server.type('K\n')
  await server.has(/>>> TLS 1.3, Handshake \[length 0005\], KeyUpdate/)
  await world.store(messagesOf(100, 100))
  await server.has(/number 199/)
  await server.has(/<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate/)
  server.type('k\n')
  await eventually('the second one', () => server.said.match(/>>> TLS 1.3, Handshake \[length 0005\], KeyUpdate/g)?.length === 2)
  await world.store(messagesOf(100, 200))
  await server.has(/number 299/)
  t.is(world.told('relay-failed').length, 0)
})

test.serial('RFC 5425 section 4.4: our sender says close_notify before it closes', async (t) => {
  const chain = await Chain.make(t)
  const receiver = await chain.issue('receiver', { name: 'loghost.example.com', role: 'relay', san: ['127.0.0.1'] })
  const port = await fixedPort()
  const server = openssl(t, 's_server', receiver, '-accept', `127.0.0.1:${port}`, '-Verify', '3', '-verify_return_error')
  await server.has(/ACCEPT/)
  const world = new World(t)
  await world.store(messagesOf(10))
  const destination = world.start(t, 'syslog-tls', { ports: [port], identity: () => identityIn(chain.place('relay-identity')) })
  await server.has(/number 9/)
  const mark = server.said.length
  await destination.stop(AbortSignal.timeout(10_000))
  await eventually('our close_notify', () => /<<< TLS 1\.\d, Alert \[length 0002\], warning close_notify/.test(server.said.slice(mark)))
  t.is(destination.status()['lag_bytes'], 0)
})

for (const [what, answer] of [
  ['its close is answered', '3 rsp 0\n0 serverclose 0\n'],
  ['the receiver says serverclose', '0 serverclose 0\n'],
] as const)
  test.serial(`RELP: our sender says close_notify when ${what}`, async (t) => {
    const chain = await Chain.make(t)
    const receiver = await chain.issue('receiver', { name: 'loghost.example.com', role: 'relay', san: ['127.0.0.1'] })
    const port = await fixedPort()
    const server = openssl(t, 's_server', receiver, '-accept', `127.0.0.1:${port}`, '-Verify', '3', '-verify_return_error')
    await server.has(/ACCEPT/)
    const world = new World(t)
    await world.store(messagesOf(1))
    const destination = world.start(t, 'relp', { ports: [port], identity: () => identityIn(chain.place('relay-identity')) })
    await server.has(/1 open \d+ /)
    const offers = '200 OK\nrelp_version=0\nrelp_software=by hand\ncommands=syslog'
    server.type(`1 rsp ${offers.length} ${offers}\n`)
    await server.has(/number 0/)
    server.type('2 rsp 6 200 OK\n')
    await drained(destination)
    const mark = server.said.length
    const stopped = answer.startsWith('3') ? destination.stop(AbortSignal.timeout(10_000)) : undefined
    if (stopped !== undefined) await server.has(/3 close 0/)
    server.type(answer)
    await eventually('our close_notify', () => /<<< TLS 1\.\d, Alert \[length 0002\], warning close_notify/.test(server.said.slice(mark)))
    await stopped
    t.is(destination.status()['lag_bytes'], 0)
  })

test.serial('RFC 5425 section 4.4: the relay says close_notify when it stops', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
  const identity = await chain.issue('box', { name: 'box7.example.com', role: 'agent' })
  const client = openssl(t, 's_client', identity, '-connect', `127.0.0.1:${port!.port}`)
  client.type('<13>1 - - app - - - text\n')
  await chain.lines(1, fileOf(chain, 'box7.example.com'))
  chain.relay.signal('SIGTERM')
  await client.has(/<<< TLS 1\.\d, Alert \[length 0002\], warning close_notify/)
  await client.ended
  t.deepEqual(await chain.relay.ended, { code: 0, signal: null })
})

/** Types of the records that one side has sent. In TLS 1.2 they can be read by anyone. */
function recordTypes(bytes: Buffer): number[] {
  const types: number[] = []
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) types.push(bytes[at]!)
  return types
}

type Side = 'near' | 'far'

/** What a passer-by saw of one connection. */
interface Wire {
  readonly heard: Readonly<Record<Side, Buffer[]>>
  /** Bytes that each side had sent when the other one's last alert came by. */
  readonly atAlert: Partial<Record<Side, number>>
  readonly hasEnded: Record<Side, boolean>
}

/** Stands between two sides and sees every record: `near` is who connects. */
async function overhear(t: ExecutionContext, to: { readonly port: number }): Promise<{ port: number; wires: Wire[] }> {
  const wires: Wire[] = []
  const between = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect({ host: '127.0.0.1', ...to, allowHalfOpen: true })
    const wire: Wire = { heard: { near: [], far: [] }, atAlert: {}, hasEnded: { near: false, far: false } }
    wires.push(wire)
    const sentBy = (side: Side): number => wire.heard[side].reduce((sum, { length }) => sum + length, 0)
    for (const [side, other, socket] of [
      ['near', 'far', near],
      ['far', 'near', far],
    ] as const) {
      socket.on('data', (chunk: Buffer) => {
        wire.heard[side].push(chunk)
        if (recordTypes(Buffer.concat(wire.heard[side])).at(-1) === ALERT) wire.atAlert[other] ??= sentBy(other)
      })
      socket.on('end', () => {
        wire.hasEnded[side] = true
      })
      socket.on('error', () => undefined)
    }
    near.pipe(far)
    far.pipe(near)
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  t.teardown(() => between.close())
  return { port: (between.address() as net.AddressInfo).port, wires }
}

test.serial('RFC 5425 section 4.4: close_notify of a client is answered with ours, and then the connection ends', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
  const { key, cert } = await makeIdentity(chain, DEVICE)
  const between = await overhear(t, port!)
  const socket = tls.connect({ host: '127.0.0.1', port: between.port, rejectUnauthorized: false, maxVersion: 'TLSv1.2', key, cert })
  socket.resume()
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  socket.end('<13>1 - - app - - - last\n')
  await new Promise((resolve) => socket.once('close', resolve))
  await chain.lines(1, fileOf(chain, 'box7.example.com'))
  t.is(recordTypes(Buffer.concat(between.wires[0]!.heard.far)).at(-1), ALERT)
})

/** test/support/closing-receiver.py, with what it tells. */
async function closingReceiver(t: ExecutionContext, chain: Chain, version: 'TLSv1_2' | 'TLSv1_3') {
  const identity = await chain.issue('receiver', { name: 'loghost.example.com', role: 'relay', san: ['127.0.0.1'] })
  const program = fileURLToPath(new URL('../support/closing-receiver.py', import.meta.url))
  const child = execFile('python3', [program, identity, version], { maxBuffer: 1 << 26 })
  void watched(t, child)
  let said = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (text: string) => {
      said += text
    })
  const told = (word: string): string[] => [...said.matchAll(new RegExp(`^${word}(?: (.*))?\\n`, 'gm'))].map((match) => match[1] ?? '')
  const hears = (word: string, count: number): Promise<unknown> =>
    eventually(
      `${count} times "${word}"`,
      () => told(word).length >= count,
      () => said.slice(-4000),
    )
  await hears('port', 1)
  return { port: Number(told('port')[0]), told, hears, close: () => void child.stdin!.write('close\n') }
}

for (const version of ['TLSv1_2', 'TLSv1_3'] as const)
  test.serial(
    `RFC 5425 section 4.4: a receiver that says close_notify, ${version}: our sender answers with its own, sends no more there, and what counts as arrived comes once, the rest again`,
    async (t) => {
      const chain = await Chain.make(t)
      const receiver = await closingReceiver(t, chain, version)
      const between = await overhear(t, receiver)
      const world = new World(t)
      const [arrived, late, later] = [messagesOf(100), messagesOf(50, 100), messagesOf(100, 150)]
      await world.store(arrived)
      const destination = world.start(t, 'syslog-tls', { ports: [between.port], identity: () => identityIn(chain.place('relay-identity')) })
      await receiver.hears('message', 100)
      world.clock.aheadMs += 10_000
      await drained(destination)
      world.clock.stop()
      await world.store(late)
      await receiver.hears('message', 150)
      receiver.close()
      await receiver.hears('answered', 1)
      await receiver.hears('fin', 1)
      await world.store(later)
      await receiver.hears('message', 300)
      t.deepEqual(receiver.told('broken'), [])
      t.deepEqual(receiver.told('more'), [])
      t.deepEqual(receiver.told('message'), [...arrived, ...late, ...late, ...later])
      t.is(world.told('relay-failed').length, 1)
      t.regex(world.told('relay-failed')[0]!, /the receiver closed the connection/)
      const [wire] = between.wires
      const ours = Buffer.concat(wire!.heard.near)
      t.true(wire!.hasEnded.near)
      if (version === 'TLSv1_2') {
        const before = wire!.atAlert.near!
        t.deepEqual(recordTypes(ours.subarray(before)), [ALERT], 'behind the alert of the receiver there is ours and nothing else')
      }
      await destination.stop(AbortSignal.timeout(10_000))
      t.is(destination.status()['lag_bytes'], 0)
      if (version === 'TLSv1_2') t.is(recordTypes(Buffer.concat(between.wires[1]!.heard.near)).at(-1), ALERT)
      t.true(between.wires[1]!.hasEnded.near)
    },
  )
