// Attacks on the relay's door that need many connections, or a certificate of ours.

import * as fs from 'node:fs'
import * as net from 'node:net'
import * as tls from 'node:tls'
import test from 'ava'
import { RelpClientSession } from '../../core/transport/relp-client.ts'
import { Chain, linesOf } from '../support/chain.ts'
import { DEVICE, fileOf, openDoor, residentKib, say, sayTls, statusOf } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { craftRecord, sendFrame } from '../support/hostile-peer.ts'
import { makeIdentity } from '../support/identities.ts'

const CONNECTIONS = 10_000
const TOGETHER = 250
const RSS_LIMIT_KIB = 300 << 10
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

for (const [what, begins] of [
  ['say nothing', ''],
  ['begin a handshake and go on no further', '1603010200'],
] as const)
  onLinux(`attack: ${CONNECTIONS} connections that ${what} are bounded, and a good client gets through all the while`, async (t) => {
    const chain = await Chain.make(t)
    const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
    const device = await makeIdentity(chain, DEVICE)
    const standing = new Set<net.Socket>()
    t.teardown(() => {
      for (const socket of standing) socket.destroy()
    })
    const attack = (index: number): Promise<void> =>
      new Promise((resolve) => {
        const socket = net.connect({ ...port!, localAddress: `127.0.1.${1 + (index % 50)}` }, () => {
          socket.write(Buffer.from(begins, 'hex'))
          resolve()
        })
        standing.add(socket)
        socket.on('error', () => undefined)
        socket.once('close', () => {
          standing.delete(socket)
          resolve()
        })
      })
    let isOver = false
    let sent = 0
    const file = fileOf(chain, 'box7.example.com')
    // As a sender does: again, until it is taken.
    const good = async (): Promise<void> => {
      while (!isOver) {
        await sayTls(port!, device, `<13>1 - - good - - - number ${sent++}\n`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    const goods = good()
    let most = 0
    for (let made = 0; made < CONNECTIONS; made += TOGETHER) {
      await Promise.all(Array.from({ length: TOGETHER }, (_, index) => attack(made + index)))
      most = Math.max(most, fs.readdirSync(`/proc/${chain.relay.pid}/fd`).length)
    }
    const during = linesOf(file).length
    isOver = true
    await goods
    const kib = residentKib(chain.relay.pid)
    t.log(`${most} descriptors, ${Math.round(kib / 1024)} MiB, ${during} messages of ${sent} while it went on`)
    t.true(most < 1000, `${most} descriptors`)
    t.true(kib < RSS_LIMIT_KIB, `${kib} KiB`)
    t.true(during > 0)
    // Still under siege by those that stand.
    await sayTls(port!, device, '<13>1 - - good - - - the last one\n')
    await eventually('the last message', () => linesOf(file).some((line) => line.endsWith('the last one')))
    const said = chain.relay.lines.filter((line) => line.includes('peer-refused')).length
    t.true(said <= 200, `${said} lines about refused connections`)
  })

onLinux('attack: one agent that holds a hundred unfinished batches is cut down to a bound, and others are served', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*.example.com'] } })
  const { key, cert, ca } = await makeIdentity(chain, {})
  const nearlyAll = Buffer.alloc(2 << 20, 'x')
  const sockets: tls.TLSSocket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  const hold = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = tls.connect({ ...port!, key, cert, ca, checkServerIdentity: () => undefined })
      sockets.push(socket)
      socket.on('error', () => undefined)
      socket.once('secureConnect', () => {
        socket.once('data', () => {
          socket.write(`2 batch ${nearlyAll.length} `)
          socket.write(nearlyAll.subarray(1), () => resolve())
        })
        socket.write('1 open 36 relp_version=0\ncommands=syslog,batch\n')
      })
      socket.once('close', () => reject(new Error('closed')))
    })
  const held = 90
  for (let made = 0; made < held; made += 10) await Promise.all(Array.from({ length: 10 }, hold))
  await chain.relay.waitFor(/peer-gone: .*hold over 128 MiB in all/)
  await eventually('the others to be cut', () => sockets.filter((socket) => !socket.destroyed).length <= 64)
  const standing = sockets.filter((socket) => !socket.destroyed).length
  t.log(`${standing} of ${held} stand, ${Math.round(residentKib(chain.relay.pid) / 1024)} MiB`)
  t.true(standing >= 60, `${standing}`)
  const other = await makeIdentity(chain, DEVICE)
  await sayTls(port!, other, '<13>1 - - app - - - served\n')
  await chain.lines(1, fileOf(chain, 'box7.example.com'))
})

test.serial(
  'attack: a relay of ours that brings more hosts than limits.origins is refused with what to do, and keeps what it had',
  async (t) => {
    const chain = await Chain.make(t)
    chain.relayOptions['listeners'] = [{ clients: { names: ['*.example.com'] }, limits: { origins: 3 } }]
    await chain.startRelay()
    const site = await makeIdentity(chain, {
      commonName: 'site1.example.com',
      dnsNames: ['site1.example.com'],
      uris: ['urn:loghop:role:relay', 'urn:loghop:speaks-for:*.site1.example.com'],
    })
    const batch = (host: string): Promise<string> =>
      sendFrame(chain, site, 'batch', craftRecord({ origin: host, messages: ['<13>1 - - app - - - x'] }))
    for (const host of ['a', 'b', 'c', 'a']) t.is(await batch(`${host}.site1.example.com`), 'acknowledged')
    t.regex(await batch('d.site1.example.com'), /500 it brings messages of more hosts than limits\.origins/)
    t.is(await batch('site1.example.com'), 'acknowledged')
    t.is(await batch('b.site1.example.com'), 'acknowledged')
    await chain.lines(1, fileOf(chain, 'site1.example.com'))
    t.false(fs.existsSync(fileOf(chain, 'd.site1.example.com')))
    t.regex(await chain.relay.waitFor(/peer-gone: .*limits\.origins/), /site1\.example\.com has gone: it brings messages of more hosts/)
  },
)

test.serial(
  'attack: a batch of another agent, recorded and sent again under an own certificate, is refused; under its own name it is another stream',
  async (t) => {
    const chain = await Chain.make(t)
    await chain.startRelay()
    const victim = await makeIdentity(chain, {})
    const attacker = await makeIdentity(chain, { commonName: 'evil.example.com', dnsNames: ['evil.example.com'] })
    const stream = 'ab'.repeat(16)
    const recorded = craftRecord({ origin: 'web01.example.com', stream, messages: ['<13>1 - - app - - - real'] })
    t.is(await sendFrame(chain, victim, 'batch', recorded), 'acknowledged')
    t.regex(
      await sendFrame(chain, attacker, 'batch', recorded),
      /500 certificate of evil\.example\.com does not speak for "web01\.example\.com"/,
    )
    // With the stream and the sequences that the victim will use next: they stay the victim's.
    const ahead = { stream, first: 2, messages: ['<13>1 - - app - - - x'] }
    t.is(await sendFrame(chain, attacker, 'batch', craftRecord({ origin: 'evil.example.com', ...ahead })), 'acknowledged')
    t.is(await sendFrame(chain, victim, 'batch', craftRecord({ origin: 'web01.example.com', ...ahead })), 'acknowledged')
    t.is((await chain.lines(2)).length, 2)
    t.is((await statusOf(chain)).metrics['loghop_messages_repeated_total'] ?? 0, 0)
  },
)

test.serial('attack: a peer that comes again and again, in order and not, does not fill the log', async (t) => {
  const chain = await Chain.make(t)
  const [tls, tcp] = await openDoor(chain, { clients: { names: ['*.example.com'] } }, { tcp: '127.0.0.1:0', name: 'here.example.com' })
  const device = await makeIdentity(chain, DEVICE)
  const times = 60
  for (let time = 0; time < times; time++) {
    await sayTls(tls!, device, `<13>1 - - app - - - number ${time}\n`)
    await sayTls(tls!, device, '3 <1>99999999999')
    await say(tcp!, `100${time} <1>`)
  }
  await eventually('all of them', async () => (await statusOf(chain)).metrics['loghop_peers_admitted_total'] === 3 * times)
  await chain.lines(2 * times, fileOf(chain, DEVICE.commonName))
  await chain.relay.end('SIGTERM')
  const said = chain.relay.lines.filter((line) => / peer-(?:admitted|gone): /.test(line))
  // Each cause once, and once more where it took over a minute.
  t.true(said.length >= 4 && said.length <= 12, said.join('\n'))
  t.is(said.filter((line) => line.includes('MSG-LEN')).length >= 1, true)
})

test.serial('attack: a peer that sends and never reads its acknowledgements is cut off, with nothing unbounded kept for it', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com' })
  const socket = net.connect(port!)
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  socket.pause()
  const gone = chain.relay.waitFor(/peer-gone: .*does not read its acknowledgements/)
  let isGone = false
  const note = (): void => {
    isGone = true
  }
  void gone.then(note, note)
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write('1 open 36 relp_version=0\ncommands=syslog,batch\n')
  const frames = Buffer.from(Array.from({ length: 2000 }, (_, index) => `${2 + (index % 900_000)} syslog 5 <13>x\n`).join(''))
  for (let round = 0; round < 3000 && !isGone && !socket.destroyed; round++)
    await Promise.race([gone, new Promise<void>((resolve) => socket.write(frames, () => resolve()))])
  t.regex(await gone, /does not read its acknowledgements/)
})

test.serial('attack: names and texts of a hostile peer forge no line of the log, and drive no terminal', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  const evil = await makeIdentity(chain, { commonName: 'evil.example.com', dnsNames: ['evil.example.com'] })
  const forged = 'x\n2026-01-01T00:00:00Z info peer-admitted: forged\u001b[2J'
  t.regex(await sendFrame(chain, evil, 'batch', craftRecord({ origin: forged })), /500/)
  const { key, cert, ca } = evil
  const socket = tls.connect({ host: '127.0.0.1', port: chain.port, key, cert, ca, checkServerIdentity: () => undefined })
  await new Promise((resolve) => {
    const session = new RelpClientSession(socket, new Map([['x', forged]]), {
      onReady: () => session.destroy('over'),
      onAcknowledged: () => undefined,
      onClosed: resolve,
    })
  })
  const stranger = await makeIdentity(chain, { commonName: `q${forged}`.slice(0, 60), dnsNames: [] })
  await sayTls({ host: '127.0.0.1', port: chain.port }, stranger, 'x')
  await eventually('the refusal', async () => (await statusOf(chain)).refused!.length > 0)
  for (const line of chain.relay.lines) {
    t.false(/[\u0000-\u001f\u007f]/.test(line), JSON.stringify(line))
    t.notRegex(line, /^2026-01-01/)
  }
})
