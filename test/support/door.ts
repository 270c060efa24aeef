// A relay with listeners of the test's own, and clients that say something to it.

import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import * as tls from 'node:tls'
import type { Chain, Status } from './chain.ts'
import { loghop } from './daemon.ts'
import type { MadeIdentity } from './identities.ts'

export interface Place {
  readonly host: string
  readonly port: number
}

/** A certificate of somebody else's making: a device. */
export const DEVICE = { commonName: 'box7.example.com', dnsNames: ['box7.example.com'], uris: [] }

/** Starts the relay with these listeners. @returns what is bound, in their order, UDP too */
export async function openDoor(chain: Chain, ...listeners: Record<string, unknown>[]): Promise<Place[]> {
  chain.relayOptions['listeners'] = listeners
  await chain.startRelay()
  const started = await chain.relay.event('started')
  return [...started.matchAll(/(?:\[([0-9a-f:]+)\]|(\d+\.\d+\.\d+\.\d+)):(\d+)/g)].map(([, v6, v4, port]) => ({
    host: v6 ?? v4!,
    port: Number(port),
  }))
}

/** Sends on a connection of its own, ends it, and resolves with what came back until it was closed. */
export function say(to: net.NetConnectOpts, ...parts: (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(to, () => {
      for (const part of parts) socket.write(part)
      socket.end()
    })
    collect(socket, resolve)
  })
}

/** The same over TLS. @param more options of the connection, such as the ciphers */
export function sayTls(
  to: Place & { readonly localAddress?: string },
  identity: Pick<MadeIdentity, 'key' | 'cert'>,
  text: string | Buffer,
  more: tls.ConnectionOptions = {},
): Promise<string> {
  return new Promise((resolve) => {
    const { key, cert } = identity
    const socket = tls.connect({ ...to, rejectUnauthorized: false, key, cert, ...more }, () => socket.end(text))
    collect(socket, resolve)
  })
}

/** Resolves with all that comes on a connection until it is closed. */
export function collect(socket: net.Socket, resolve: (text: string) => void): void {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => undefined)
  socket.on('close', () => resolve(text))
}

/** Linux alone. */
export function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))![1])
}

export function fileOf(chain: Chain, ...host: string[]): string {
  return path.join(chain.logs, ...host, 'messages')
}

export async function statusOf(chain: Chain): Promise<Status> {
  return JSON.parse((await loghop('relay', 'status', '--json', '--config', chain.relayConfig)).stdout) as Status
}
