// Every kind of socket that the relay listens on, and what becomes of it over time.

import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as os from 'node:os'
import test from 'ava'
import { Chain, linesOf } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { DEVICE, fileOf, openDoor, say, sayTls, statusOf } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { makeIdentity } from '../support/identities.ts'

const hasIpv6 = Object.values(os.networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'))
const onIpv6 = hasIpv6 ? test.serial : test.serial.skip

function textsOf(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^.*: /, '')).sort()
}

function sendDatagram(type: 'udp4' | 'udp6', port: number, host: string, text: string): Promise<void> {
  const socket = createSocket(type)
  return new Promise((resolve) => socket.send(text, port, host, () => socket.close(() => resolve())))
}

onIpv6('IPv4 and IPv6 side by side: tls, tcp and udp on lists of both, and each address is what allow and deny mean', async (t) => {
  const chain = await Chain.make(t)
  const both = ['127.0.0.1:0', '[::1]:0']
  const name = 'here.example.com'
  const [tls4, tls6, tcp4, tcp6, udp4, udp6, denied4, denied6] = await openDoor(
    chain,
    { tls: both, clients: { names: ['*.example.com'] } },
    { tcp: both, name },
    { udp: both, name },
    { tcp: both, name, deny: ['::/64'] },
  )
  t.deepEqual([tls4!.host, tls6!.host, tcp6!.host, udp6!.host], ['127.0.0.1', '::1', '::1', '::1'])
  const device = await makeIdentity(chain, DEVICE)
  await sayTls(tls4!, device, '<13>1 - - app - - - tls four\n')
  await sayTls(tls6!, device, '<13>1 - - app - - - tls six\n')
  t.deepEqual(textsOf(await chain.lines(2, fileOf(chain, 'box7.example.com'))), ['tls four', 'tls six'])
  await say(tcp4!, '<13>1 - - app - - - tcp four\n')
  await say(tcp6!, '<13>1 - - app - - - tcp six\n')
  await sendDatagram('udp4', udp4!.port, '127.0.0.1', '<13>1 - - app - - - udp four')
  await sendDatagram('udp6', udp6!.port, '::1', '<13>1 - - app - - - udp six')
  t.deepEqual(textsOf(await chain.lines(4, fileOf(chain, name))), ['tcp four', 'tcp six', 'udp four', 'udp six'])
  await say(denied6!, '<13>1 - - app - - - denied\n')
  t.regex(await chain.relay.event('peer-refused'), /Refused \[::1\]:\d+: deny of this listener lists ::1\. .* check=address/)
  await say(denied4!, '<13>1 - - app - - - let in\n')
  await chain.lines(5, fileOf(chain, name))
})

onIpv6('an IPv6 client without TLS at a tls port is refused in the form that fail2ban reads', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { tls: '[::1]:0', clients: { names: ['*'] } }, { tcp: '127.0.0.1:0' })
  const manual = fs.readFileSync(new URL('../../docs/fail2ban.md', import.meta.url), 'utf8')
  const failregex = new RegExp(/^failregex = (.*)$/m.exec(manual)![1]!.replace('<ADDR>', '\\[?(?<address>[0-9a-fA-F.:]+?)\\]?'))
  await say(port!, 'GET / HTTP/1.1\r\n')
  t.is(failregex.exec(await chain.relay.event('peer-refused'))?.groups?.['address'], '::1')
})

test.serial('a connection that is silent for longer than limits.idle is closed in order, one that speaks is not', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com', limits: { idle: '2s' } })
  const [silent, speaking] = [net.connect(port!), net.connect(port!)]
  const open = new Promise((resolve) => silent.once('connect', resolve))
  const speak = setInterval(() => speaking.write('<13>1 - - app - - - again\n'), 200)
  t.teardown(() => {
    clearInterval(speak)
    speaking.destroy()
    silent.destroy()
  })
  await open
  const openedMs = performance.now()
  // Its end, and no reset.
  await new Promise((resolve, reject) => {
    silent.once('end', resolve)
    silent.once('error', reject)
    silent.resume()
  })
  t.true(performance.now() - openedMs > 1900, `${performance.now() - openedMs} ms`)
  const count = linesOf(fileOf(chain, 'here.example.com')).length
  await chain.lines(count + 5, fileOf(chain, 'here.example.com'))
  t.false(speaking.destroyed)
})

const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

onLinux('datagrams that the kernel drops because its buffer is full are counted: none leaves silently', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { udp: '127.0.0.1:0', name: 'here.example.com' }, { tcp: '127.0.0.1:0' })
  const count = 20_000
  const bytes = Buffer.from(`<13>1 - - app - - - ${'x'.repeat(1000)}`)
  // While it is stopped nothing is read, and the buffer overflows for certain.
  chain.relay.signal('SIGSTOP')
  const socket = createSocket('udp4')
  for (let sent = 0; sent < count; sent += 500)
    await Promise.all(Array.from({ length: 500 }, () => new Promise((resolve) => socket.send(bytes, port!.port, '127.0.0.1', resolve))))
  socket.close()
  chain.relay.signal('SIGCONT')
  await eventually('every datagram to be stored or counted', async () => {
    const { loss, metrics } = await statusOf(chain)
    const dropped = loss?.['udp-overrun'] ?? 0
    return dropped > 0 && metrics['loghop_messages_stored_total']! + dropped >= count
  })
  const { loss, metrics } = await statusOf(chain)
  const lost = loss!['udp-overrun']!
  t.log(`${lost} of ${count} dropped`)
  const text = linesOf(fileOf(chain, 'here.example.com')).filter((line) => line.includes('xxx')).length
  t.is(text + lost, count)
  t.true(metrics['loghop_messages_filed_total']! >= text)
  t.regex(await chain.relay.waitFor(/udp-overrun/), /here|udp-overrun/)
})

onLinux('a unix listener has the mode that it was given from its first moment, whatever the umask', async (t) => {
  const chain = await Chain.make(t)
  const socket = chain.place('stream')
  await openDoor(chain, { unix: socket, mode: '0620', name: 'here.example.com' }, { tcp: '127.0.0.1:0' })
  t.is(fs.statSync(socket).mode & 0o777, 0o620)
})

// On Linux a program may connect to loopback from another address of its host: the nearest thing to a peer that should not be there.
const outside = Object.values(os.networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address
const fromOutside = process.platform === 'linux' && outside !== undefined ? test.serial : test.serial.skip

fromOutside('attack: a peer that reaches a listener without TLS from an address that is not loopback is dropped unread', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com' })
  t.is(await say({ ...port!, localAddress: outside! }, '<13>1 - - app - - - from outside\n'), '')
  const line = await chain.relay.event('peer-refused')
  t.true(line.includes(`: it comes from ${outside} to 127.0.0.1, this listener has no TLS and takes this host alone`), line)
  t.regex(line, / check=not-loopback/)
  await say(port!, '<13>1 - - app - - - from here\n')
  t.deepEqual(textsOf(await chain.lines(1, fileOf(chain, 'here.example.com'))), ['from here'])
})

onLinux('connections to a unix listener are limited by user, as the kernel tells who that is, and another user gets in', async (t) => {
  const chain = await Chain.make(t)
  const socket = chain.place('stream')
  const listener = { unix: socket, mode: '0666', name: 'here.example.com', limits: { per_user: 2 } }
  await openDoor(chain, listener, { tcp: '127.0.0.1:0' })
  const user = process.getuid!()
  const held = [net.connect(socket), net.connect(socket)]
  t.teardown(() => {
    for (const each of held) each.destroy()
  })
  await Promise.all(held.map((each) => new Promise((resolve) => each.once('connect', resolve))))
  t.is(await say({ path: socket }, '<13>1 - - app - - - one too many\n'), '')
  const line = await chain.relay.event('peer-refused')
  t.true(line.includes(`Refused unix#${user}: user ${user} of this host has 2 connections already. Raise limits.per_user`), line)
  t.regex(line, / check=user-connections/)
  if (user === 0) {
    // The way to the socket is open to this user too.
    fs.chmodSync(chain.directory, 0o711)
    const text = '<13>1 - - app - - - of another user\\n'
    const program = `process.setuid(65534); require('node:net').connect(process.argv[1], function () { this.end('${text}') })`
    execFileSync(process.execPath, ['-e', program, socket])
    t.deepEqual(textsOf(await chain.lines(1, fileOf(chain, 'here.example.com'))), ['of another user'])
  }
  held[0]!.end('<13>1 - - app - - - and then\n')
  await new Promise((resolve) => held[0]!.resume().once('close', resolve))
  await eventually('room for one more', async () => {
    await say({ path: socket }, '<13>1 - - app - - - room again\n')
    return linesOf(fileOf(chain, 'here.example.com')).some((each) => each.endsWith('room again'))
  })
})

test.serial('relay check tells which listeners believe any name, and whose', async (t) => {
  const chain = await Chain.make(t)
  chain.relayOptions['listeners'] = [
    { tls: '127.0.0.1:0', clients: { names: ['*'] }, speaks_for: ['*'] },
    { udp: '127.0.0.1:0', speaks_for: ['*'] },
    { tcp: '127.0.0.1:0', speaks_for: ['*.example.com'] },
  ]
  const { code, stdout } = await loghop('relay', 'check', '--config', chain.relayConfig)
  t.is(code, 0)
  t.is(stdout.match(/speaks_for has "\*"/g)?.length, 2)
  t.regex(stdout, /every client whose certificate says nothing of roles may send messages under the name of any host/)
  t.regex(stdout, /every program of this host may send messages under the name of any host/)
})
