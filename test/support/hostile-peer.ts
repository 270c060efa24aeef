// A peer with a valid certificate that sends what no agent of ours would.

import * as tls from 'node:tls'
import { crc32 } from 'node:zlib'
import { encodeEnvelope } from '../../core/spool/batch.ts'
import { BATCH_HEADER_BYTES, CRC_SEED } from '../../core/spool/constants.ts'
import { RelpClientSession } from '../../core/transport/relp-client.ts'
import type { Chain } from './chain.ts'
import type { MadeIdentity } from './identities.ts'

export interface Crafted {
  readonly origin: string
  readonly messages?: readonly (string | Buffer)[]
  /** Instead of what follows from the messages. */
  readonly payload?: Buffer
  readonly plainBytes?: number
  readonly count?: number
  readonly codec?: number
  readonly first?: number
  readonly stream?: string
}

/** Messages as they stand in a payload, each behind its length. */
export function payloadOf(messages: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      const bytes = typeof message === 'string' ? Buffer.from(message) : message
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      return [length, bytes]
    }),
  )
}

let streams = 0

/** A record whose checksums are right and whose content is whatever was asked for. */
export function craftRecord(crafted: Crafted): Buffer {
  const origin = Buffer.from(crafted.origin)
  const messages = crafted.messages ?? ['<13>1 - - - - - - x']
  const payload = crafted.payload ?? payloadOf(messages)
  const count = crafted.count ?? messages.length
  const batch = Buffer.alloc(BATCH_HEADER_BYTES + origin.length + payload.length)
  batch.write('LHB1', 0, 'latin1')
  batch.writeUInt32LE(batch.length, 8)
  batch.writeUInt16LE(BATCH_HEADER_BYTES + origin.length, 12)
  batch[14] = crafted.codec ?? 0
  batch[15] = origin.length & 0xff
  batch.write(crafted.stream ?? (++streams).toString(16).padStart(32, 'f'), 16, 16, 'hex')
  batch.writeBigUInt64LE(BigInt(crafted.first ?? 1), 32)
  batch.writeUInt32LE(count, 40)
  batch.writeUInt32LE(crafted.plainBytes ?? payload.length, 44)
  batch.writeBigUInt64LE(BigInt(Date.now()) * 1000n, 48)
  origin.copy(batch, BATCH_HEADER_BYTES)
  payload.copy(batch, BATCH_HEADER_BYTES + origin.length)
  batch.writeUInt32LE(crc32(batch.subarray(8), CRC_SEED), 4)
  return Buffer.concat([encodeEnvelope(batch.length, { skip: 0, take: count }, [], Date.now() * 1000), batch])
}

/** Sends one frame on a connection of its own. @returns `acknowledged`, or why the relay ended it */
export function sendFrame(chain: Chain, identity: MadeIdentity, command: 'batch' | 'syslog', content: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const { key, cert, ca } = identity
    const socket = tls.connect({ host: '127.0.0.1', port: chain.port, key, cert, ca, checkServerIdentity: () => undefined })
    const bytes = Buffer.concat([Buffer.alloc(64), content, Buffer.alloc(1)])
    let isAcknowledged = false
    const session = new RelpClientSession(socket, new Map(), {
      onReady: () => session.send(command, bytes, 64, 64 + content.length, () => undefined),
      onAcknowledged: () => {
        isAcknowledged = true
        session.close()
      },
      onClosed: (reason) => resolve(isAcknowledged ? 'acknowledged' : reason),
    })
  })
}
