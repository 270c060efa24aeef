// What RFC 5425 and RFC 8446 want of both sides while a connection stands and when it ends, seen by openssl and on the wire.

import { execFile } from 'node:child_process'
import * as net from 'node:net'
import * as tls from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { Chain } from '../support/chain.ts'
import { watched } from '../support/daemon.ts'
import { DEVICE, fileOf, openDoor } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { makeIdentity } from '../support/identities.ts'
import { identityIn, messagesOf, World } from '../unit/destinations/foreign-world.ts'

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

/** Types of the records that the relay has sent. In TLS 1.2 they can be read by anyone. */
function recordTypes(bytes: Buffer): number[] {
  const types: number[] = []
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) types.push(bytes[at]!)
  return types
}

test.serial('RFC 5425 section 4.4: close_notify of a client is answered with ours, and then the connection ends', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
  const { key, cert } = await makeIdentity(chain, DEVICE)
  const heard: Buffer[] = []
  const between = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect({ ...port!, allowHalfOpen: true })
    far.on('data', (chunk: Buffer) => heard.push(chunk))
    near.pipe(far)
    far.pipe(near)
    for (const socket of [near, far]) socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  t.teardown(() => between.close())
  const socket = tls.connect({
    host: '127.0.0.1',
    port: (between.address() as net.AddressInfo).port,
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.2',
    key,
    cert,
  })
  socket.resume()
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  socket.end('<13>1 - - app - - - last\n')
  await new Promise((resolve) => socket.once('close', resolve))
  await chain.lines(1, fileOf(chain, 'box7.example.com'))
  t.is(recordTypes(Buffer.concat(heard)).at(-1), ALERT)
})
