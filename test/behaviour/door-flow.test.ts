// Many connections at once: what they may cost, and that they do not stand in each other's way.

import * as fs from 'node:fs'
import * as path from 'node:path'
import * as tls from 'node:tls'
import test from 'ava'
import { Chain } from '../support/chain.ts'
import { makeIdentity } from '../support/identities.ts'

const IDLE = 1000
const SLOW = 100
const TOGETHER = 50
const RSS_LIMIT_KIB = 300 << 10
const COUNT = 20_000

function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))![1])
}

const onLinux = process.platform === 'linux' ? test.serial : test.skip

onLinux('1,000 idle connections and 100 slow senders at once stay within 300 MB, and a fast one is served beside them', async (t) => {
  const chain = await Chain.make(t)
  const limits = { per_address: 5000, per_identity: 5000, connections: 5000 }
  chain.relayOptions['listeners'] = [{ clients: { names: ['*.example.com'] }, limits }]
  await chain.startRelay()
  const { key, cert } = await makeIdentity(chain, { commonName: 'box7.example.com', dnsNames: ['box7.example.com'], uris: [] })
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
  for (let made = 0; made < IDLE + SLOW; made += TOGETHER) await Promise.all(Array.from({ length: TOGETHER }, connect))
  // Each of the idle ones has said something before; each of the slow ones holds nearly all of a frame of 60,000 bytes.
  for (const socket of sockets.slice(0, IDLE)) socket.write('<13>1 - - app - - - hello\n')
  for (const socket of sockets.slice(IDLE)) socket.write(`60000 ${'x'.repeat(59_000)}`)
  const file = path.join(chain.logs, 'box7.example.com/messages')
  await chain.lines(IDLE, file)
  const fast = await connect()
  fast.write(Array.from({ length: COUNT }, (_, index) => `<13>1 - - fast - - - number ${index}\n`).join(''))
  await chain.lines(IDLE + COUNT, file)
  const residentMib = residentKib(chain.relay.pid) / 1024
  t.log(`${Math.round(residentMib)} MiB`)
  t.true(residentMib * 1024 < RSS_LIMIT_KIB, `${residentMib} MiB`)
  t.true(sockets.every((socket) => !socket.destroyed))
})
