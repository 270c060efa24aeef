// Who may come in at the relay, what they may say, and under which name it is filed. Real processes, real sockets.

import { createSocket } from 'node:dgram'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as tls from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { Chain, linesOf, RELAY_NAME } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { collect, DEVICE, fileOf, openDoor, say, sayTls, statusOf } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { makeIdentity } from '../support/identities.ts'
import { runWithSocket } from '../support/passed-socket.ts'

function counted(texts: readonly string[]): string {
  return texts.map((text) => `${Buffer.byteLength(text)} ${text}`).join('')
}

test.serial(
  'a tls listener takes RFC 5425 and lines, files them under the name of the certificate, and shows the name that was claimed',
  async (t) => {
    const chain = await Chain.make(t)
    const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
    const device = await makeIdentity(chain, DEVICE)
    await sayTls(
      port!,
      device,
      counted(['<13>1 2026-11-24T03:00:00Z box7 app 1 - - one', '<13>1 2026-11-24T03:00:00Z db01 app 1 - - two\nlines']),
    )
    await sayTls(port!, device, '<13>Nov 24 03:00:00 box7.example.com app[2]: three\n<13>no header')
    const lines = (await chain.lines(4, fileOf(chain, 'box7.example.com'))).map((line) => line.replace(/^\S+ /, ''))
    t.deepEqual(lines.slice(0, 3), [
      'box7.example.com app[1]: one',
      'box7.example.com/db01 app[1]: two#012lines',
      'box7.example.com app[2]: three',
    ])
    t.regex(lines[3]!, /^box7\.example\.com .*no header$/)
    t.deepEqual(fs.readdirSync(chain.logs), ['box7.example.com'])
  },
)

test.serial('a TLS 1.2 client with one cipher of ours is served, and one without any is refused with a line that says so', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
  const device = await makeIdentity(chain, DEVICE)
  const cipher = 'ECDHE-ECDSA-AES128-GCM-SHA256'
  await sayTls(port!, device, '<13>hello\n', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: cipher })
  await chain.lines(1, fileOf(chain, 'box7.example.com'))
  await sayTls(port!, device, 'x', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:@SECLEVEL=0' })
  t.regex(
    await chain.relay.event('peer-refused'),
    /Refused 127\.0\.0\.1:\d+: TLS handshake failed: none of its ciphers is one of ours\. Allow it TLS 1\.3/,
  )
})

test.serial('plain listeners on loopback take octet counting, lines, RELP and datagrams, over TCP, UDP and a unix socket', async (t) => {
  const chain = await Chain.make(t)
  const plain = { name: 'here.example.com', speaks_for: ['*.site1.example.com'] }
  const socket = chain.place('stream')
  const [tcp, udp] = await openDoor(chain, { tcp: '127.0.0.1:0', ...plain }, { udp: '127.0.0.1:0', ...plain }, { unix: socket, ...plain })
  await say(tcp!, counted(['<13>1 - w1.site1.example.com app - - - counted']), '\n')
  await say(tcp!, '<13>1 - w1.site1.example.com app - - - line\r\n<13>1 - w1.site1.example.com app - - - unended')
  await say({ path: socket }, '<13>1 - w1.site1.example.com app - - - unix\0')
  const relp = await new Promise<string>((resolve) => {
    const client = net.connect(tcp!, () =>
      client.write('1 open 36 relp_version=0\ncommands=syslog,batch\n2 syslog 43 <13>1 - w1.site1.example.com app - - - relp\n3 close 0\n'),
    )
    collect(client, resolve)
  })
  t.regex(relp, /^1 rsp \d+ 200 OK\n(?:.*\n)*commands=syslog\n\n2 rsp 6 200 OK\n3 rsp 0\n0 serverclose 0\n$/)
  const sender = createSocket('udp4')
  await new Promise((resolve) => sender.send('<13>1 - w1.site1.example.com app - - - datagram', udp!.port, udp!.host, resolve))
  sender.close()
  const lines = await chain.lines(6, fileOf(chain, 'w1.site1.example.com'))
  t.deepEqual(lines.map((line) => line.replace(/^.*: /, '')).sort(), ['counted', 'datagram', 'line', 'relp', 'unended', 'unix'])
})

test.serial('a name that is not allowed is rewritten, set apart or refused, as the listener says', async (t) => {
  const chain = await Chain.make(t)
  const terms = { tcp: '127.0.0.1:0', name: 'here.example.com', speaks_for: ['*.site1.example.com'] }
  const [rewrite, quarantine, refuse] = await openDoor(
    chain,
    terms,
    { ...terms, on_mismatch: 'quarantine' },
    { ...terms, on_mismatch: 'refuse' },
  )
  const forged = '<13>1 - dc01.example.com app - - - forged\n'
  const own = '<13>1 - w1.site1.example.com app - - - own\n'
  for (const port of [rewrite, quarantine, refuse]) await say(port!, own, forged)
  await chain.lines(3, fileOf(chain, 'w1.site1.example.com'))
  const bare = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/^\S+ /, ''))
  t.deepEqual(bare(await chain.lines(1, fileOf(chain, 'here.example.com'))), ['here.example.com/dc01.example.com app: forged'])
  t.deepEqual(bare(await chain.lines(1, fileOf(chain, '_unverified', 'here.example.com'))), [
    '_unverified/here.example.com/dc01.example.com app: forged',
  ])
  t.regex(await chain.relay.event('peer-gone'), /here\.example\.com may not speak for "dc01\.example\.com"/)
  t.false(fs.existsSync(fileOf(chain, 'dc01.example.com')))
  const status = await statusOf(chain)
  t.is(status.loss?.['name-refused'], 1)
  t.is(status.metrics['loghop_messages_renamed_total'], 2)
})

test.serial('attack: hostile host names reach no path', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com', speaks_for: ['*'] })
  const names = [
    '..',
    '.',
    '../../etc',
    '/etc/passwd',
    'a/b',
    '\u001b[2J',
    '_unverified',
    '_unverified/x',
    'x'.repeat(255),
    '$HOST',
    'a..b',
    '127.0.0.1',
    '-rf',
  ]
  await say(port!, ...names.map((name) => `<13>1 - ${name} app - - - hostile\n`))
  await eventually('all of them to be filed', async () => (await statusOf(chain)).metrics['loghop_messages_filed_total']! >= names.length)
  t.deepEqual(
    fs.readdirSync(chain.logs).filter((name) => !/^(here\.example\.com|h-[0-9a-f]{16})$/.test(name)),
    [],
  )
})

test.serial('attack: a sender that floods with host names makes no more directories than it may, and no message is lost', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com', speaks_for: ['*'], limits: { names: 50 } })
  const count = 20_000
  const text = Array.from({ length: count }, (_, index) => `<13>1 - host${index} app - - - x\n`).join('')
  await say(port!, text)
  await eventually('all of them to be filed', async () => (await statusOf(chain)).metrics['loghop_messages_filed_total'] === count)
  t.is(fs.readdirSync(chain.logs).length, 51)
  t.is(linesOf(fileOf(chain, 'here.example.com')).length, count - 50)
  t.regex(await chain.relay.event('names-limited'), /uses over 50 host names/)
})

for (const [what, text, check, looksLike] of [
  ['an HTTP request', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'protocol', /it looks like an HTTP request/],
  ['a TLS hello', Buffer.from('160301020001000', 'hex'), 'protocol', /it looks like a TLS handshake.*tls listener/],
  ['a PROXY header', 'PROXY TCP4 192.0.2.7 127.0.0.1 80 90\r\n<13>x\n', 'protocol', /it looks like a PROXY header.*under proxy/],
  ['an ssh client', 'SSH-2.0-OpenSSH_9.2\r\n', 'protocol', /it looks like an SSH client/],
] as const) {
  test.serial(`${what} on a plain port is refused with one line that says what it looks like`, async (t) => {
    const chain = await Chain.make(t)
    const [port] = await openDoor(chain, { tcp: '127.0.0.1:0' })
    t.is(await say(port!, text), '')
    const line = await chain.relay.event('peer-refused')
    t.regex(line, looksLike)
    t.true(line.includes(` check=${check}`))
    t.false(fs.existsSync(chain.logs) && fs.readdirSync(chain.logs).length > 0)
  })
}

test.serial(
  'syslog, RELP and HTTP without TLS on a tls port are refused with what they look like, and fail2ban finds the address',
  async (t) => {
    const chain = await Chain.make(t)
    const [port] = await openDoor(chain, { clients: { names: ['*'] } })
    const manual = fs.readFileSync(new URL('../../docs/fail2ban.md', import.meta.url), 'utf8')
    const failregex = new RegExp(/^failregex = (.*)$/m.exec(manual)![1]!.replace('<ADDR>', '(?<address>[0-9a-fA-F.:]+)'))
    const to = port!
    await say(to, 'GET / HTTP/1.1\r\n')
    await eventually('one refusal', async () => (await statusOf(chain)).refused!.length === 1)
    await say(to, '<13>plain\n')
    await say(to, '1 open 0\n')
    await sayTls(port!, { key: '', cert: '' }, 'x', { key: undefined, cert: undefined })
    await eventually('four refusals', async () => (await statusOf(chain)).refused!.length === 4)
    const refused = await loghop('relay', 'status', '--refused', '--config', chain.relayConfig)
    for (const told of [
      /looks like an HTTP request/,
      /looks like syslog without TLS. Turn TLS on/,
      /looks like RELP without TLS/,
      /presented no certificate.*Give the peer an identity/,
    ])
      t.regex(refused.stdout, told)
    const lines = chain.relay.lines.filter((line) => line.includes('peer-refused'))
    // One line for each cause and minute.
    t.is(lines.length, 2)
    for (const line of lines) t.is(failregex.exec(line)?.groups?.['address'], '127.0.0.1', line)
  },
)

test.serial('allow and deny keep addresses out, and a PROXY header from a listed proxy tells who is meant', async (t) => {
  const chain = await Chain.make(t)
  const [denied, proxied] = await openDoor(
    chain,
    { tcp: '127.0.0.1:0', deny: ['127.0.0.0/8'] },
    { tcp: '127.0.0.1:0', name: 'here.example.com', proxy: ['127.0.0.1'], deny: ['192.0.2.66'] },
  )
  await say(denied!, '<13>x\n')
  t.regex(await chain.relay.event('peer-refused'), /deny of this listener lists 127\.0\.0\.1.* check=address/)
  const to = proxied!
  await say(to, 'PROXY TCP4 192.0.2.7 127.0.0.1 4000 90\r\n<13>1 - - app - - - through\n')
  await chain.lines(1, fileOf(chain, 'here.example.com'))
  await say(to, 'PROXY TCP4 192.0.2.66 127.0.0.1 4000 90\r\n<13>1 - - app - - - denied\n')
  t.regex(await chain.relay.waitFor(/Refused 192\.0\.2\.66:4000: deny of this listener/), /check=address/)
  await say(to, '<13>1 - - app - - - no header\n')
  t.regex(await chain.relay.waitFor(/check=proxy-header/), /it does not begin with a PROXY header/)
  t.is(linesOf(fileOf(chain, 'here.example.com')).length, 1)
})

test.serial('attack: slowloris on the handshake is cut off at its deadline, and others are served meanwhile', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] }, limits: { handshake: '1500ms' } })
  const slow = Array.from({ length: 60 }, () => {
    const socket = net.connect(port!, () => socket.write(Buffer.from('1603010200', 'hex')))
    socket.on('error', () => undefined)
    return new Promise((resolve) => socket.once('close', resolve))
  })
  await sayTls(port!, await makeIdentity(chain, DEVICE), '<13>meanwhile\n')
  await chain.lines(1, fileOf(chain, 'box7.example.com'))
  await Promise.all(slow)
  t.regex(await chain.relay.event('peer-refused'), /no TLS handshake within 1\.5 s.* check=handshake/)
})

test.serial(
  'attack: slowloris on a frame is cut off at its deadline, an idle connection is not, and a count of 4 GB is refused at once',
  async (t) => {
    const chain = await Chain.make(t)
    const [port] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com', limits: { frame: '1s' } })
    const idle = net.connect(port!)
    const slow = net.connect(port!, () => slow.write('1000 <13>'))
    const drip = setInterval(() => slow.write('x'), 100)
    slow.on('error', () => undefined)
    await new Promise((resolve) => slow.once('close', resolve))
    clearInterval(drip)
    t.regex(await chain.relay.event('peer-gone'), /too slow: a message or batch has not come to its end within 1 s/)
    t.is(await say(port!, '4294967296 <13>x'), '')
    await chain.relay.waitFor(/peer-gone: .*MSG-LEN has over 9 digits/)
    t.false(idle.destroyed)
    idle.end('<13>1 - - app - - - still here\n')
    const lines = await chain.lines(1, fileOf(chain, 'here.example.com'))
    t.true(lines.some((line) => line.endsWith('still here')))
  },
)

test.serial('connections are limited in total, and by the name of the certificate', async (t) => {
  const chain = await Chain.make(t)
  const [total, identity] = await openDoor(
    chain,
    { tcp: '127.0.0.1:0', limits: { connections: 3 } },
    { clients: { names: ['*.example.com'] }, limits: { per_identity: 1 } },
  )
  const held = Array.from({ length: 3 }, () => net.connect(total!))
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  await say(total!, '<13>one more\n')
  t.regex(await chain.relay.waitFor(/check=connections/), /has 3 connections already.*limits\.connections/)
  for (const socket of held) socket.destroy()
  const device = await makeIdentity(chain, DEVICE)
  const first = tls.connect({ ...identity!, rejectUnauthorized: false, key: device.key, cert: device.cert })
  t.teardown(() => first.destroy())
  await chain.relay.waitFor(/peer-admitted: box7/)
  t.is(await sayTls(identity!, device, '<13>x\n'), '0 serverclose 28 refused=identity-connections\n')
})

test.serial('a message over the limit is cut at its end, and a connection is never closed for content', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com', limit: '8KiB' })
  await say(port!, `<13>1 - - app - - - ${'x'.repeat(20_000)}\n\u0000\xff\xfe\n<999>broken\n<13>1 - - app - - - last\n`)
  const lines = await chain.lines(4, fileOf(chain, 'here.example.com'))
  t.true(lines[0]!.length < 8192 + 100)
  t.true(lines.at(-1)!.endsWith('app: last'))
})

test.serial('localhost stands for loopback alone, and every address of a list is listened on', async (t) => {
  const chain = await Chain.make(t)
  chain.relayOptions['listeners'] = [{ tcp: ['127.0.0.1:0', '127.0.0.2:0'], name: 'here.example.com' }, { tcp: 'localhost:0' }]
  await chain.startRelay()
  const started = await chain.relay.event('started')
  const second = Number(/127\.0\.0\.2:(\d+)/.exec(started)![1])
  await say({ port: second, host: '127.0.0.2' }, '<13>1 - - app - - - x\n')
  await chain.lines(1, fileOf(chain, 'here.example.com'))
  t.true(started.includes(RELAY_NAME))
})

test.serial('what senders without acknowledgement had on the way when the relay stops is filed', async (t: ExecutionContext) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com' })
  const socket = net.connect(port!)
  await new Promise((resolve) => socket.write('<13>1 - - app - - - first\n', resolve))
  await chain.lines(1, fileOf(chain, 'here.example.com'))
  const ended = new Promise((resolve) => socket.once('end', resolve))
  socket.write('<13>1 - - app - - - last\n')
  await Promise.all([chain.relay.end('SIGTERM'), ended])
  t.is(linesOf(fileOf(chain, 'here.example.com')).length, 2)
})

/** The relay with one listener, which is passed to it. */
function relayWithSocket(t: ExecutionContext, chain: Chain, fd: number, listener: Record<string, unknown>): { said: string } {
  chain.relayOptions['listeners'] = [listener]
  return runWithSocket(t, fd, 'relay', 'run', '--config', chain.relayConfig)
}

test.serial('a passed unix socket is served', async (t) => {
  const chain = await Chain.make(t)
  const socket = chain.place('stream')
  const server = net.createServer().listen(socket)
  await new Promise((resolve) => server.once('listening', resolve))
  const { fd } = (server as net.Server & { _handle: { fd: number } })._handle
  const relay = relayWithSocket(t, chain, fd, { unix: 'systemd:passed', name: 'here.example.com' })
  await eventually(
    'the relay',
    () => relay.said.includes(' started: '),
    () => relay.said,
  )
  // Ours would take connections too, and closing it would take the path away.
  const link = chain.place('link')
  fs.linkSync(socket, link)
  server.close()
  await say({ path: link }, '<13>1 - - app - - - stream\n')
  t.regex((await chain.lines(1, fileOf(chain, 'here.example.com')))[0]!, /app: stream$/)
})

test.serial('a passed datagram socket is read, and a passed stream socket that is not on loopback is refused', async (t) => {
  const chain = await Chain.make(t)
  const datagrams = createSocket('udp4')
  await new Promise<void>((resolve) => datagrams.bind(0, '127.0.0.1', resolve))
  const symbol = Object.getOwnPropertySymbols(datagrams).find(({ description }) => description === 'state symbol')!
  const { fd } = (datagrams as unknown as Record<symbol, { handle: { fd: number } }>)[symbol]!.handle
  const { port } = datagrams.address()
  const relay = relayWithSocket(t, chain, fd, { udp: 'systemd:passed', name: 'here.example.com' })
  datagrams.close()
  await eventually(
    'the relay',
    () => relay.said.includes(' started: '),
    () => relay.said,
  )
  const sender = createSocket('udp4')
  await new Promise((resolve) => sender.send('<13>1 - - app - - - datagram', port, '127.0.0.1', resolve))
  sender.close()
  await eventually(
    'the message',
    () => linesOf(fileOf(chain, 'here.example.com')).length === 1,
    () => relay.said,
  )

  const other = await Chain.make(t)
  const server = net.createServer().listen(0, '0.0.0.0')
  await new Promise((resolve) => server.once('listening', resolve))
  const refused = relayWithSocket(t, other, (server as net.Server & { _handle: { fd: number } })._handle.fd, { tcp: 'systemd:passed' })
  server.close()
  await eventually(
    'the refusal',
    () => refused.said.includes('loghop: '),
    () => refused.said,
  )
  t.regex(refused.said, /Cannot listen on 0\.0\.0\.0:\d+ without TLS: 0\.0\.0\.0 is not loopback/)
})
