// Receivers made by hand, that do to a sender what it has to endure.

import { createSocket } from 'node:dgram'
import * as fs from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import * as tls from 'node:tls'
import type { ExecutionContext } from 'ava'
import { nextRelpFrame } from '../../../core/transport/relp.ts'
import { eventually } from '../../support/eventually.ts'

export interface Received {
  readonly messages: string[]
  /** How the connection ended, as this side saw it. */
  end: 'open' | 'in order' | 'broken'
}

function tlsOptions(identity: string): tls.TlsOptions {
  const read = (name: string) => fs.readFileSync(`${identity}/${name}`)
  return { key: read('key.pem'), cert: read('cert.pem'), ca: read('ca.pem'), requestCert: true, rejectUnauthorized: true }
}

/** What all receivers over streams share: connections, and what came on each. */
export abstract class StreamReceiver {
  readonly connections: Received[] = []
  readonly sockets: Socket[] = []
  port = 0
  #server: Server | undefined
  readonly #identity: string | undefined

  /** @param identity directory of the TLS identity; plain TCP without */
  constructor(t: ExecutionContext, identity?: string) {
    this.#identity = identity
    t.teardown(() => this.stop())
  }

  abstract onData(socket: Socket, received: Received, chunk: Buffer): void

  get messages(): string[] {
    return this.connections.flatMap(({ messages }) => messages)
  }

  /** On the same port as before. */
  async listen(): Promise<number> {
    const accept = (socket: Socket): void => {
      const received: Received = { messages: [], end: 'open' }
      this.connections.push(received)
      this.sockets.push(socket)
      socket.on('data', (chunk: Buffer) => this.onData(socket, received, chunk))
      socket.on('end', () => {
        received.end = 'in order'
      })
      socket.on('error', () => {
        received.end = 'broken'
      })
    }
    const server = this.#identity === undefined ? createServer(accept) : tls.createServer(tlsOptions(this.#identity), accept)
    server.on('tlsClientError', () => undefined)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, '127.0.0.1', resolve)
    })
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    return this.port
  }

  stop(): void {
    this.#server?.close()
    for (const socket of this.sockets.splice(0)) socket.destroy()
  }

  has(count: number): Promise<true> {
    return eventually(
      `${count} messages`,
      () => new Set(this.messages).size >= count || undefined,
      () => `There are ${this.messages.length}`,
    ).then(() => true)
  }
}

export type Verdict = 'take' | 'refuse' | 'hold'

/** A RELP server that decides on each message. Held ones are acknowledged by `release`. */
export class RelpReceiver extends StreamReceiver {
  verdict: (message: string, index: number) => Verdict = () => 'take'
  readonly sessions: string[] = []
  commands = 'syslog'
  readonly #rests = new WeakMap<Socket, Buffer>()
  readonly #held = new Map<Socket, number[]>()

  onData(socket: Socket, received: Received, chunk: Buffer): void {
    let rest = Buffer.concat([this.#rests.get(socket) ?? Buffer.alloc(0), chunk])
    let answers = ''
    for (;;) {
      const frame = nextRelpFrame(rest, 0, rest.length, () => 1 << 24)
      if (frame.kind === 'malformed') throw new Error(frame.reason)
      if (frame.kind === 'need-more') break
      const text = rest.toString('latin1', frame.start, frame.end)
      if (frame.command === 'open') {
        this.sessions.push(text)
        const offers = `200 OK\nrelp_version=0\nrelp_software=by hand\ncommands=${this.commands}`
        answers += `${frame.txnr} rsp ${offers.length} ${offers}\n`
      } else if (frame.command === 'close') answers += `${frame.txnr} rsp 0\n0 serverclose 0\n`
      else {
        const verdict = this.verdict(text, received.messages.length)
        received.messages.push(text)
        if (verdict === 'take') answers += `${frame.txnr} rsp 6 200 OK\n`
        else if (verdict === 'refuse') answers += `${frame.txnr} rsp 7 500 bad\n`
        else this.#held.set(socket, [...(this.#held.get(socket) ?? []), frame.txnr])
      }
      rest = rest.subarray(frame.next)
    }
    this.#rests.set(socket, rest)
    if (answers !== '') socket.write(answers, 'latin1')
  }

  /** Acknowledges what was held, up to `count` on each connection. */
  release(count = Number.POSITIVE_INFINITY): void {
    for (const [socket, held] of this.#held) {
      const answers = held.splice(0, count).map((txnr) => `${txnr} rsp 6 200 OK\n`)
      if (!socket.destroyed) socket.write(answers.join(''))
    }
  }
}

/** RFC 5425 or RFC 6587: octet counting, with nothing answered. */
export class OctetReceiver extends StreamReceiver {
  /** Called after each message; may break the connection. */
  onMessage: (socket: Socket, received: Received) => void = () => undefined
  readonly #rests = new WeakMap<Socket, Buffer>()

  onData(socket: Socket, received: Received, chunk: Buffer): void {
    let rest = Buffer.concat([this.#rests.get(socket) ?? Buffer.alloc(0), chunk])
    for (;;) {
      const match = /^([1-9]\d{0,8}) /.exec(rest.toString('latin1', 0, 10))
      if (match === null) {
        if (rest.length >= 10) throw new Error(`no frame starts with ${rest.toString('latin1', 0, 10)}`)
        break
      }
      const end = match[0].length + Number(match[1])
      if (rest.length < end || socket.destroyed) break
      received.messages.push(rest.toString('latin1', match[0].length, end))
      rest = rest.subarray(end)
      this.onMessage(socket, received)
    }
    this.#rests.set(socket, rest)
  }
}

/** RFC 6587, non-transparent framing: lines that end in LF. */
export class LineReceiver extends StreamReceiver {
  readonly #rests = new WeakMap<Socket, string>()

  onData(socket: Socket, received: Received, chunk: Buffer): void {
    const lines = ((this.#rests.get(socket) ?? '') + chunk.toString('latin1')).split('\n')
    this.#rests.set(socket, lines.pop()!)
    received.messages.push(...lines)
  }
}

export interface DatagramReceiver {
  readonly port: number
  readonly datagrams: Buffer[]
}

/** @param port 0 for any */
export async function receiveDatagrams(t: ExecutionContext, port = 0): Promise<DatagramReceiver> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
  const datagrams: Buffer[] = []
  socket.on('message', (datagram) => datagrams.push(datagram))
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve))
  t.teardown(() => socket.close())
  return { port: socket.address().port, datagrams }
}
