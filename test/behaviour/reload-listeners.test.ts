// Listeners come, go and change while a relay runs: new places are bound before anything changes, and nothing is lost or doubled.

import * as dgram from 'node:dgram'
import * as fs from 'node:fs'
import * as net from 'node:net'
import type { TLSSocket } from 'node:tls'
import test from 'ava'
import { askReload, askStatus } from '../../core/daemon/status-socket.ts'
import { RelpClientSession } from '../../core/transport/relp-client.ts'
import { Chain, linesOf } from '../support/chain.ts'
import { collect, fileOf, openDoor, say } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { disorder, everyNumber, filedNumbers, missing } from '../support/numbered.ts'
import { runWithSocket } from '../support/passed-socket.ts'
import { sendOne } from '../support/send-one.ts'
import { startSenders } from '../support/senders.ts'

const ROUNDS = 8
const CLIENTS = { clients: { names: ['*.example.com'] } }
const NAME = 'here.example.com'

/** Has the relay take over these listeners. */
function relisten(chain: Chain, ...listeners: object[]): ReturnType<typeof askReload> {
  chain.relayOptions['listeners'] = listeners
  if (chain.relayConfig !== chain.place('relay.yaml')) throw new Error('another file')
  return askReload(chain.place('relay-spool'))
}

test.serial(
  'listeners come and go under 2000 messages a second: the agent goes from one to the other, and each message comes once',
  async (t) => {
    const chain = await Chain.make(t)
    chain.port = await fixedPort()
    chain.port = await fixedPort()
    const [one, two] = [chain.port, await fixedPort()].map((port) => ({ tls: `127.0.0.1:${port}`, ...CLIENTS }))
    chain.agentOptions['relays'] = [one, two].map((listener) => listener!.tls)
    chain.relayOptions['listeners'] = [one]
    await chain.startRelay()
    await chain.startAgent()
    const senders = startSenders(t, chain, { senders: 2, rate: 1000 })
    for (let round = 1; round <= ROUNDS; round++) {
      const lines = linesOf(chain.file).length
      await chain.lines(lines + 200)
      // Both, the second alone, both, the first alone; and other limits each time.
      const limits = { limits: { idle: `${100 + round}s`, per_identity: 50 + round } }
      const wanted = round % 4 === 1 || round % 4 === 3 ? [one, two] : round % 4 === 2 ? [two] : [one]
      const { isDone, text } = await relisten(chain, ...wanted.map((listener) => ({ ...listener, ...limits })))
      t.true(isDone, text)
      if (round % 2 === 1) t.regex(text, /listens anew on 127\.0\.0\.1:\d+, none closed, no connection cut$/)
      else t.regex(text, /no listener opened, 1 closed, /)
    }
    senders.stop()
    const counts = (await senders.done).map(({ sent }) => sent)
    await chain.lines(counts.reduce((sum, count) => sum + count, 0))
    t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
    t.is(disorder(filedNumbers(chain.file)), undefined)
    t.is(missing(everyNumber(counts), filedNumbers(chain.file)), undefined)
    t.true(chain.agent.lines.filter((line) => / relay-connected: /.test(line)).length > 2, 'it had to go to the other')
    t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
  },
)

test.serial('a port that is taken and a fault elsewhere leave every listener and connection as it was', async (t) => {
  const chain = await Chain.make(t)
  chain.port = await fixedPort()
  const taken = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await eventually('the other server', () => taken.listening)
  const busy = `127.0.0.1:${(taken.address() as net.AddressInfo).port}`
  const free = await fixedPort()
  const [tls] = await openDoor(chain, CLIENTS)
  await chain.startAgent()
  sendOne(chain, 'one')
  await chain.lines(1)
  const before = { tls: `127.0.0.1:${tls!.port}`, ...CLIENTS }
  const plain = { tcp: `127.0.0.1:${free}`, name: NAME }
  const refused = await relisten(chain, { ...before, clients: { names: ['db01.example.com'] } }, plain, { tcp: busy })
  t.like(refused, { isDone: false, exitCode: 1 })
  t.regex(refused.text, new RegExp(`Cannot listen on ${busy}: .*EADDRINUSE.*\\n.*The running configuration is kept`))
  // What was bound for it is free again, and what it would have cut stands.
  await t.throwsAsync(new Promise((resolve, reject) => net.connect(free, '127.0.0.1', () => resolve(undefined)).on('error', reject)), {
    code: 'ECONNREFUSED',
  })
  const destinations = chain.relayOptions['destinations']
  chain.relayOptions['destinations'] = [{ files: chain.place('nobody/messages'), owner: 'no-such-user' }]
  t.regex((await relisten(chain, before, plain)).text, /the user no-such-user/)
  chain.relayOptions['destinations'] = destinations
  // One of its own ports under another protocol: said as what it is.
  t.regex((await relisten(chain, { tcp: before.tls })).text, /This relay has that port as tls 127\.0\.0\.1:\d+: .*restart/)
  t.deepEqual((await askStatus(chain.place('relay-spool')))['listeners'], [before.tls])
  sendOne(chain, 'two')
  await chain.lines(2)
  t.is(chain.relay.lines.filter((line) => / peer-admitted: /.test(line)).length, 1, 'the connection stood')
  t.true((await relisten(chain, before, plain)).isDone)
  await say({ host: '127.0.0.1', port: free }, '<13>1 - - app - - - by the new one\n')
  await chain.lines(1, fileOf(chain, NAME))
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
})

/** RELP without batches, as rsyslog speaks it: sends numbers from `next.number` on until it is told to leave. Resolves when the connection has ended. */
function sendByRelp(port: number, next: { acknowledged: number }, last: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    let sent = next.acknowledged
    let timer: NodeJS.Immediate | undefined
    const session = new RelpClientSession(socket as TLSSocket, new Map(), {
      onReady: () => {
        const step = (): void => {
          for (let more = 0; more < 20 && sent < last && sent - next.acknowledged < 100; more++) {
            const text = `<13>1 - - app - - - number ${++sent}`
            const bytes = Buffer.alloc(64 + text.length + 1)
            bytes.write(text, 64)
            session.send('syslog', bytes, 64, 64 + text.length, () => undefined)
          }
          if (sent < last) timer = setImmediate(step)
        }
        step()
      },
      onAcknowledged: () => {
        next.acknowledged++
        if (next.acknowledged === last) session.close()
      },
      onClosed: (reason) => {
        if (timer !== undefined) clearImmediate(timer)
        resolve(reason)
      },
    })
  })
}

test.serial('a sender that would double what is not acknowledged gets its acknowledgements before its listener is closed', async (t) => {
  const chain = await Chain.make(t)
  chain.port = await fixedPort()
  const [, first] = await openDoor(chain, CLIENTS, { tcp: '127.0.0.1:0', name: NAME })
  const tls = { tls: `127.0.0.1:${chain.port}`, ...CLIENTS }
  const next = { acknowledged: 0 }
  const last = 20_000
  let { port } = first!
  let moves = 0
  for (let ended = ''; ended !== 'closed'; ) {
    const sending = sendByRelp(port, next, last)
    const other = await fixedPort()
    const before = next.acknowledged
    await eventually('some of them', () => next.acknowledged > Math.min(before + 200, last - 1))
    if (moves < 3) {
      const { isDone, text } = await relisten(chain, tls, { tcp: `127.0.0.1:${other}`, name: NAME })
      t.true(isDone, text)
      t.regex(text, /listens anew on 127\.0\.0\.1:\d+, 1 closed, 1 connection cut/)
      moves++
      port = other
    }
    ended = await sending
    if (ended !== 'closed') t.is(ended, 'the relay is closing')
  }
  t.is(moves, 3)
  const numbers = (await chain.lines(last, fileOf(chain, NAME))).map((line) => Number(/number (\d+)$/.exec(line)?.[1]))
  t.deepEqual(
    numbers,
    Array.from({ length: last }, (_, index) => index + 1),
  )
})

test.serial(
  'what lies in the socket of a udp listener that goes is read first, and other terms of one that stays count at once',
  async (t) => {
    const chain = await Chain.make(t)
    chain.port = await fixedPort()
    const [, goes, stays] = await openDoor(chain, CLIENTS, { udp: '127.0.0.1:0', name: NAME }, { udp: '127.0.0.2:0', name: NAME })
    const tls = { tls: `127.0.0.1:${chain.port}`, ...CLIENTS }
    const socket = dgram.createSocket('udp4')
    t.teardown(() => socket.close())
    const send = (text: string, { host, port }: { host: string; port: number }): Promise<void> =>
      new Promise((resolve) => socket.send(`<13>1 - - app - - - ${text}`, port, host, () => resolve()))
    // While it does not run, they wait in the kernel; then the reload is read in the same turn as they are.
    chain.relay.signal('SIGSTOP')
    for (let number = 1; number <= 100; number++) await send(`number ${number}`, goes!)
    const reloading = relisten(chain, tls, { udp: `127.0.0.2:0`, name: 'other.example.com' })
    chain.relay.signal('SIGCONT')
    const { isDone, text } = await reloading
    t.true(isDone, text)
    t.regex(text, /no listener opened, 1 closed/)
    const lines = await chain.lines(100, fileOf(chain, NAME))
    t.deepEqual(
      lines.map((line) => line.replace(/^.* /, '')),
      Array.from({ length: 100 }, (_, index) => `${index + 1}`),
    )
    await send('under its new name', stays!)
    await chain.lines(1, fileOf(chain, 'other.example.com'))
  },
)

test.serial(
  'lower limits and other lists end what they would not let in, the rest stays; another name counts for connections that stand',
  async (t) => {
    const chain = await Chain.make(t)
    chain.port = await fixedPort()
    const [, plain, local] = await openDoor(
      chain,
      CLIENTS,
      { tcp: '127.0.0.1:0', name: NAME },
      { tcp: '127.0.0.1:0', proxy: ['127.0.0.1'], name: NAME },
      { unix: chain.place('u'), name: NAME, mode: '0600' },
    )
    const tls = { tls: `127.0.0.1:${chain.port}`, ...CLIENTS }
    const proxied = { tcp: '127.0.0.1:0', proxy: ['127.0.0.1'], name: NAME }
    const opened = [1, 2, 3].map(() => {
      const socket = net.connect(plain!.port, plain!.host)
      const ended = new Promise<string>((resolve) => collect(socket, resolve))
      return { socket, ended }
    })
    for (const [at, { socket }] of opened.entries()) {
      socket.write(`<13>1 - - app - - - first of ${at}\n`)
      await chain.lines(at + 1, fileOf(chain, NAME))
    }
    const client = net.connect(local!.port, local!.host)
    const denied = new Promise<string>((resolve) => collect(client, resolve))
    client.write('PROXY TCP4 192.0.2.7 127.0.0.1 4000 90\r\n<13>1 - - app - - - by a client\n')
    await chain.lines(4, fileOf(chain, NAME))
    const { isDone, text } = await relisten(
      chain,
      tls,
      { tcp: '127.0.0.1:0', name: 'other.example.com', limits: { per_address: 2 } },
      { ...proxied, deny: ['192.0.2.0/24'] },
      { unix: chain.place('u'), name: NAME, mode: '0660' },
    )
    t.true(isDone, text)
    t.regex(text, /, 2 connections cut$/)
    await denied
    await opened[2]!.ended
    t.regex(await chain.relay.waitFor(/peer-cut: .*limits\.per_address of its listener is 2/), /here|other/)
    t.regex(await chain.relay.waitFor(/peer-cut: .*deny lists 192\.0\.2\.7/), /by the configuration of now/)
    for (const { socket } of opened.slice(0, 2)) socket.write('<13>1 - - app - - - second\n')
    await chain.lines(2, fileOf(chain, 'other.example.com'))
    t.is(fs.statSync(chain.place('u')).mode & 0o777, 0o660)
    // Over the limit a new one is turned away; and a unix listener that goes takes its socket along.
    await say({ host: plain!.host, port: plain!.port }, '<13>1 - - app - - - too many\n')
    await chain.relay.waitFor(/check=address-connections/)
    t.true((await relisten(chain, tls)).isDone)
    await Promise.all(opened.map(({ ended }) => ended))
    t.false(fs.existsSync(chain.place('u')))
    t.is((await askStatus(chain.place('relay-spool')))['listeners']?.toString(), tls.tls)
  },
)

test.serial('a socket that systemd has passed stays over reloads, and the passage to the authority changes while running', async (t) => {
  const chain = await Chain.make(t)
  const socket = chain.place('stream')
  const server = net.createServer().listen(socket)
  await eventually('the socket', () => server.listening)
  const passed = { unix: 'systemd:passed', name: NAME }
  const [one, two, ways] = [await fixedPort(), await fixedPort(), await fixedPort()]
  const passage = (to: number): object[] => [{ listen: `127.0.0.1:${ways}`, to: `127.0.0.1:${to}` }]
  const answering = (port: number, text: string): void => {
    const authority = net.createServer((client) => client.end(text)).listen(port, '127.0.0.1')
    t.teardown(() => authority.close())
  }
  answering(one, 'the first')
  answering(two, 'the second')
  chain.relayOptions['listeners'] = [passed]
  chain.relayOptions['passthrough'] = passage(one)
  const { fd } = (server as net.Server & { _handle: { fd: number } })._handle
  const relay = runWithSocket(t, fd, 'relay', 'run', '--config', chain.relayConfig)
  await eventually('the relay', () => relay.said.includes(' started: '))
  const link = chain.place('link')
  fs.linkSync(socket, link)
  server.close()
  const stands = net.connect(link)
  stands.write('<13>1 - - app - - - one\n')
  await chain.lines(1, fileOf(chain, NAME))
  t.is(await say({ host: '127.0.0.1', port: ways }), 'the first')
  chain.relayOptions['passthrough'] = passage(two)
  for (const listeners of [[passed, { udp: '127.0.0.1:0' }], [passed]]) {
    const { isDone, text } = await relisten(chain, ...listeners)
    t.true(isDone, text)
  }
  stands.write('<13>1 - - app - - - two\n')
  await say({ path: link }, '<13>1 - - app - - - three\n')
  await chain.lines(3, fileOf(chain, NAME))
  t.is(await say({ host: '127.0.0.1', port: ways }), 'the second')
  chain.relayOptions['passthrough'] = []
  t.true((await relisten(chain, passed)).isDone)
  await t.throwsAsync(new Promise((resolve, reject) => net.connect(ways, '127.0.0.1', () => resolve(undefined)).on('error', reject)), {
    code: 'ECONNREFUSED',
  })
  stands.destroy()
})

test.serial('sockets of an agent come and go, those that stay keep their connections, and what cannot change is named', async (t) => {
  const chain = await Chain.make(t)
  const { directory } = chain.agentOptions['spool'] as { directory: string }
  const unix = { unix: chain.socket }
  const [one, two, datagrams] = [await fixedPort(), await fixedPort(), await fixedPort()]
  const reload = (more: object, ...sources: object[]): ReturnType<typeof askReload> => {
    Object.assign(chain.agentOptions, { sources, spool: { directory }, ...more })
    if (chain.agentConfig !== chain.place('agent.yaml')) throw new Error('another file')
    return askReload(directory)
  }
  await chain.startRelay()
  chain.agentOptions['sources'] = [unix, { tcp: `127.0.0.1:${one}` }]
  await chain.startAgent()
  const stands = net.connect(one, '127.0.0.1')
  stands.write('<13>one: 1\n')
  await chain.lines(1)
  const more = [{ udp: `127.0.0.1:${datagrams}` }, { tcp: `127.0.0.1:${two}` }, { 'unix-stream': chain.place('stream') }]
  const added = await reload({ log: { level: 'debug' }, stop_timeout: '5s' }, unix, { tcp: `127.0.0.1:${one}` }, ...more)
  t.regex(added.text, /, reads udp \S+, tcp \S+, unix-stream \S+ too$/)
  stands.write('<13>one: 2\n')
  await say({ host: '127.0.0.1', port: two }, '<13>two: 1\n')
  await say({ path: chain.place('stream') }, '<13>stream: 1\n')
  await chain.lines(4)
  const refused = await reload({}, { ...unix, limit: '8KiB' }, { tcp: `127.0.0.1:${one}` }, 'internal' as never)
  t.regex(refused.text, /Cannot change sources \(others than unix, /)
  t.regex((await reload({}, { ...unix, limit: '8KiB' }, { tcp: `127.0.0.1:${one}` })).text, /Cannot change the options of the source unix /)
  // While it stands still they wait in the kernel, and are read before the socket is closed.
  chain.agent.signal('SIGSTOP')
  const socket = dgram.createSocket('udp4')
  for (let number = 1; number <= 50; number++)
    await new Promise<void>((resolve) => socket.send(`<13>udp: ${number}`, datagrams, '127.0.0.1', () => resolve()))
  socket.close()
  const removing = reload({ spool: { directory, limit: '2GiB', compress: 'zstd' } }, unix, { tcp: `127.0.0.1:${one}` })
  chain.agent.signal('SIGCONT')
  t.regex((await removing).text, /, no longer udp \S+, tcp \S+, unix-stream \S+$/)
  await chain.lines(54)
  stands.write('<13>one: 3\n')
  sendOne(chain, 'still read')
  await chain.lines(56)
  t.false(fs.existsSync(chain.place('stream')))
  const status = await askStatus(directory)
  t.like(status, { spool: { limit_bytes: 2 * 2 ** 30 } })
  t.is((status['sources'] as string[]).length, 2)
  stands.end()
  t.deepEqual(await chain.agent.end('SIGTERM'), { code: 0, signal: null })
  t.is(linesOf(chain.file).length, 56)
})
