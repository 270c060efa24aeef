// Many connections at once: what they may cost, and that they do not stand in each other's way.

import { createSocket } from 'node:dgram'
import * as fs from 'node:fs'
import * as net from 'node:net'
import * as tls from 'node:tls'
import test from 'ava'
import { Chain } from '../support/chain.ts'
import { DEVICE, fileOf, openDoor, residentKib, statusOf } from '../support/door.ts'
import { eventually } from '../support/eventually.ts'
import { makeIdentity } from '../support/identities.ts'

const IDLE = 1000
const SLOW = 100
const TOGETHER = 50
const RSS_LIMIT_KIB = 300 << 10
const COUNT = 20_000
/** Sendings of COUNT each, of which the fastest counts: what else this machine does takes time from all of them. */
const ROUNDS = 5
/** And as many until one is fast enough: a relay that is slowed down is so in all of them. */
const ROUNDS_LIMIT = 60
/** The promise is a fifth (docs/listeners.md has the figures); the rest is slack for a machine that is shared. */
const SLOWER_LIMIT = 2

/** Lines of a file that grows; what has been counted is not read again. */
const counted = new Map<string, { bytes: number; lines: number }>()
function linesIn(file: string): number {
  const seen = counted.get(file) ?? { bytes: 0, lines: 0 }
  counted.set(file, seen)
  if (!fs.existsSync(file)) return 0
  const fd = fs.openSync(file, 'r')
  const chunk = Buffer.alloc(1 << 20)
  for (;;) {
    const bytes = fs.readSync(fd, chunk, 0, chunk.length, seen.bytes)
    if (bytes === 0) break
    seen.bytes += bytes
    for (let at = chunk.indexOf(10); at !== -1 && at < bytes; at = chunk.indexOf(10, at + 1)) seen.lines++
  }
  fs.closeSync(fd)
  return seen.lines
}

const onLinux = process.platform === 'linux' ? test.serial : test.skip

onLinux('1,000 idle connections and 100 slow senders at once stay within 300 MB, and do not slow a fast one down', async (t) => {
  const chain = await Chain.make(t)
  const limits = { per_address: 5000, per_identity: 5000, connections: 5000 }
  chain.relayOptions['listeners'] = [{ clients: { names: ['*.example.com'] }, limits }]
  await chain.startRelay()
  const { key, cert } = await makeIdentity(chain, DEVICE)
  const secureContext = tls.createSecureContext({ key, cert })
  const sockets: tls.TLSSocket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  const connect = (): Promise<tls.TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port: chain.port, rejectUnauthorized: false, secureContext }, () => resolve(socket))
      socket.once('error', reject)
      sockets.push(socket)
    })
  const file = fileOf(chain, 'box7.example.com')
  let filed = 0
  const text = Array.from({ length: COUNT }, (_, index) => `<13>1 - - fast - - - number ${index}\n`).join('')
  /** Shortest time from the first byte to the last line in the file. @param enoughMs more rounds are tried until one is as fast */
  const fastest = async (enoughMs = Number.POSITIVE_INFINITY): Promise<number> => {
    const fast = await connect()
    let least = Number.POSITIVE_INFINITY
    for (let round = 0; round < ROUNDS || (least > enoughMs && round < ROUNDS_LIMIT); round++) {
      filed += COUNT
      const startedMs = performance.now()
      fast.write(text)
      await eventually('the messages of the fast one', () => linesIn(file) === filed)
      least = Math.min(least, performance.now() - startedMs)
    }
    return least
  }
  await fastest()
  const aloneMs = await fastest()
  const alone = sockets.splice(0)
  for (const socket of alone) socket.destroy()
  for (let made = 0; made < IDLE + SLOW; made += TOGETHER) await Promise.all(Array.from({ length: TOGETHER }, connect))
  // Each of the idle ones has said something before; each of the slow ones holds nearly all of a frame of 60,000 bytes.
  for (const socket of sockets.slice(0, IDLE)) socket.write('<13>1 - - app - - - hello\n')
  for (const socket of sockets.slice(IDLE)) socket.write(`60000 ${'x'.repeat(59_000)}`)
  filed += IDLE
  await eventually('the greetings', () => linesIn(file) === filed)
  // The slow ones go on, a byte at a time.
  const drip = setInterval(() => {
    for (const socket of sockets.slice(IDLE, IDLE + SLOW)) socket.write('x')
  }, 500)
  t.teardown(() => clearInterval(drip))
  const enoughMs = SLOWER_LIMIT * aloneMs + 20
  const besideMs = await fastest(enoughMs)
  const residentMib = residentKib(chain.relay.pid) / 1024
  t.log(`${Math.round(residentMib)} MiB; ${COUNT} messages in ${Math.round(aloneMs)} ms alone, ${Math.round(besideMs)} ms beside them`)
  t.true(besideMs <= enoughMs, `${besideMs} ms after ${aloneMs} ms`)
  t.true(residentMib * 1024 < RSS_LIMIT_KIB, `${residentMib} MiB`)
  t.true(sockets.every((socket) => !socket.destroyed))
})

test.serial(
  'a full spool: streams are not read, RELP is sent elsewhere, and datagrams are counted as lost; nothing that was read is',
  async (t) => {
    const chain = await Chain.make(t)
    chain.relayOptions['spool'] = { directory: chain.place('relay-spool'), limit: '64MiB' }
    // Nobody answers there, so nothing is freed.
    chain.relayOptions['destinations'] = [{ forward: ['127.0.0.1:9'] }]
    const [tcp, udp] = await openDoor(chain, { tcp: '127.0.0.1:0', name: 'here.example.com' }, { udp: '127.0.0.1:0' })
    const sender = net.connect(tcp!)
    sender.on('error', () => undefined)
    t.teardown(() => sender.destroy())
    const line = `<13>1 - - app - - - ${'x'.repeat(8000)}\n`
    const chunk = Buffer.from(line.repeat(128))
    let isPaused = false
    const paused = chain.relay.event('paused').then(() => {
      isPaused = true
    })
    for (let sent = 0; sent < 200 && !isPaused; sent++)
      await Promise.race([paused, new Promise<void>((resolve) => sender.write(chunk, () => resolve()))])
    await paused
    const relp = await new Promise<string>((resolve) => {
      let said = ''
      const client = net.connect(tcp!, () => client.write('1 open 30 relp_version=0\ncommands=syslog\n'))
      client.on('data', (bytes) => {
        said += bytes.toString('latin1')
      })
      client.on('close', () => resolve(said))
    })
    t.true(relp.endsWith('0 serverclose 0\n'), relp)
    const datagrams = createSocket('udp4')
    await new Promise((resolve) => datagrams.send('<13>lost', udp!.port, udp!.host, resolve))
    datagrams.close()
    await eventually('the loss to be counted', async () => (await statusOf(chain)).loss?.['udp-spool-full'] === 1)
    const { metrics, spool } = await statusOf(chain)
    t.true(spool.used_bytes <= 64 << 20)
    t.is(metrics['loghop_messages_received_total']! - metrics['loghop_messages_stored_total']!, 1)
    t.false(sender.destroyed)
  },
)
