// Sends messages as Loghop's agents do, by `batch` over RELP and mutual TLS: node bench/batch-sender.ts PORT IDENTITY CONNECTIONS MESSAGES HOSTS BYTES. All batches are
// made first; then it says `ready`, and begins when its standard input ends. It ends when all are acknowledged.

import { randomBytes } from 'node:crypto'
import { systemClock } from '../core/base/clock.ts'
import { loadIdentity } from '../core/identity/identity.ts'
import { CODEC_PLAIN, frameBatch } from '../core/spool/batch.ts'
import { BATCH_HEADROOM_BYTES, BATCH_TARGET_BYTES } from '../core/spool/constants.ts'
import { formatTimestamp } from '../core/syslog/timestamp.ts'
import { RelpClientSession } from '../core/transport/relp-client.ts'
import { connectTls } from '../core/transport/tls-connector.ts'

const WINDOW_BATCHES = 16

interface Made {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/** The batches of one host: its messages `each` are numbered from 0 on. */
function batchesOf(origin: string, messages: number, bytes: number): Made[] {
  const made: Made[] = []
  const stream = randomBytes(16).toString('hex')
  const each = Math.floor((BATCH_TARGET_BYTES - bytes) / (bytes + 4))
  for (let first = 0; first < messages; first += each) {
    const count = Math.min(each, messages - first)
    const plainBytes = count * (bytes + 4)
    const buffer = Buffer.alloc(BATCH_HEADROOM_BYTES + plainBytes + 1, 'x')
    const receivedUs = systemClock.wallUs()
    for (let index = 0; index < count; index++) {
      const at = BATCH_HEADROOM_BYTES + index * (bytes + 4)
      buffer.writeUInt32LE(bytes, at)
      buffer.write(
        `<13>1 ${formatTimestamp(receivedUs)} ${origin} bench 1000 - - ${String(first + index).padStart(10, '0')} `,
        at + 4,
        'latin1',
      )
    }
    const end = BATCH_HEADROOM_BYTES + plainBytes
    const batch = { origin, stream, first: first + 1, count, plainBytes, codec: CODEC_PLAIN, receivedUs }
    made.push({ bytes: buffer, start: frameBatch(buffer, BATCH_HEADROOM_BYTES, end, batch, receivedUs), end })
  }
  return made
}

function sendAll(port: number, identity: string, batches: readonly Made[]): Promise<void> {
  return new Promise((resolve, reject) => {
    connectTls({ host: 'localhost', port }, loadIdentity(identity), {
      onRefused: ({ check }) => reject(new Error(`refused: ${check}`)),
      onFailed: reject,
      onConnected: (socket) => {
        let sent = 0
        let acknowledged = 0
        const fill = (): void => {
          for (; sent < batches.length && sent - acknowledged < WINDOW_BATCHES; sent++) {
            const { bytes, start, end } = batches[sent]!
            session.send('batch', bytes, start, end, () => {})
          }
          if (acknowledged === batches.length) session.close()
        }
        const session = new RelpClientSession(socket, new Map(), {
          onReady: fill,
          onAcknowledged: () => {
            acknowledged++
            fill()
          },
          onClosed: (reason) => (acknowledged === batches.length ? resolve() : reject(new Error(reason))),
        })
      },
    })
  })
}

const [port, connections, messages, hosts, bytes] = [2, 4, 5, 6, 7].map((at) => Number(process.argv[at])) as [
  number,
  number,
  number,
  number,
  number,
]
const perConnection: Made[][] = Array.from({ length: connections }, () => [])
// The hosts of a connection take turns, as their agents' batches would come through a site's relay.
const perHost = Array.from({ length: hosts }, (_, host) =>
  batchesOf(`host${String(host).padStart(5, '0')}.example.com`, messages / hosts, bytes),
)
for (let round = 0; perHost.some((batches) => round < batches.length); round++)
  for (const [host, batches] of perHost.entries())
    if (batches[round] !== undefined) perConnection[host % connections]!.push(batches[round]!)
process.stdout.write('ready\n')
process.stdin.resume()
process.stdin.once('end', () => {
  const started = performance.now()
  Promise.all(perConnection.map((batches) => sendAll(port, process.argv[3]!, batches))).then(
    () => process.stdout.write(`{"seconds":${(performance.now() - started) / 1000}}\n`, () => process.exit(0)),
    (error: Error) => {
      process.stderr.write(`${error.message}\n`)
      process.exit(1)
    },
  )
})
