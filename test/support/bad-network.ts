// A bad network on loopback: a TCP proxy that cuts, holds, drops, slows and reorders what passes.

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { eventually } from './eventually.ts'

/** What happens to the bytes of one direction: they pass, wait in the proxy, vanish, or pass at so many bytes a second. */
type Mode = 'pass' | 'hold' | 'drop' | number

const TICK_MS = 50
const HELD_BYTES = 1 << 20

/** One direction of one connection. */
class Way {
  passed = 0
  /** The connection is cut when so many bytes have passed. */
  limit = Number.POSITIVE_INFINITY
  readonly #target: Socket
  readonly #source: Socket
  readonly #onLimit: () => void
  #mode: Mode = 'pass'
  #held: Buffer[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(source: Socket, target: Socket, onLimit: () => void) {
    this.#source = source
    this.#target = target
    this.#onLimit = onLimit
    source.on('data', (chunk: Buffer) => {
      if (this.#mode === 'pass') this.#pass(chunk)
      else if (this.#mode !== 'drop') this.#hold(chunk)
    })
  }

  /** From now on; what was held passes first when the new mode lets it. */
  set mode(mode: Mode) {
    this.#mode = mode
    clearInterval(this.#timer)
    this.#timer = typeof mode === 'number' ? setInterval(() => this.#drip((mode * TICK_MS) / 1000), TICK_MS) : undefined
    if (mode !== 'pass') return
    for (const chunk of this.#held.splice(0)) this.#pass(chunk)
    this.#source.resume()
  }

  get heldBytes(): number {
    return this.#held.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #hold(chunk: Buffer): void {
    this.#held.push(chunk)
    if (this.heldBytes > HELD_BYTES || typeof this.#mode === 'number') this.#source.pause()
  }

  #drip(bytes: number): void {
    const first = this.#held.shift()
    if (first === undefined) {
      this.#source.resume()
      return
    }
    this.#pass(first.subarray(0, Math.ceil(bytes)))
    if (first.length > bytes) this.#held.unshift(first.subarray(Math.ceil(bytes)))
  }

  #pass(chunk: Buffer): void {
    const room = this.limit - this.passed
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk
    this.passed += part.length
    if (!this.#target.destroyed && part.length > 0) this.#target.write(part, () => this.passed >= this.limit && this.#onLimit())
    if (part.length === 0) this.#onLimit()
  }
}

export class Link {
  readonly toRelay: Way
  readonly fromRelay: Way
  /** Ends with a reset instead of in order. */
  isAbrupt = false
  /** Sides end together; without it the relay's side stays open when the client has gone. */
  isWhole = true
  readonly #client: Socket
  readonly #relay: Socket

  constructor(client: Socket, relay: Socket) {
    this.#client = client
    this.#relay = relay
    this.toRelay = new Way(client, relay, () => this.cut())
    this.fromRelay = new Way(relay, client, () => this.cut())
    client.on('error', () => undefined)
    relay.on('error', () => undefined)
    client.on('close', () => this.isWhole && this.cut())
    relay.on('close', () => this.cut())
  }

  get isOpen(): boolean {
    return !this.#client.destroyed
  }

  /** Both sides at once. */
  cut(): void {
    this.leaveClient()
    this.#close(this.#relay)
    this.toRelay.stop()
    this.fromRelay.stop()
  }

  /** The client is cut off; the relay hears nothing of it while `isWhole` is false. */
  leaveClient(): void {
    this.#close(this.#client)
  }

  #close(socket: Socket): void {
    if (socket.destroyed) return
    if (this.isAbrupt) socket.resetAndDestroy()
    else socket.destroy()
  }
}

export class BadNetwork {
  /** All connections so far, oldest first. */
  readonly links: Link[] = []
  port = 0
  /** Called with each new connection and its number, before a byte of it passes. */
  onLink: (link: Link, number: number) => void = () => undefined
  readonly #server: Server

  private constructor(target: () => number) {
    this.#server = createServer((client) => {
      const link = new Link(client, connect(target(), '127.0.0.1'))
      this.links.push(link)
      this.onLink(link, this.links.length)
    })
  }

  /** @param target port of the relay, asked for each connection */
  static async open(t: ExecutionContext, target: () => number): Promise<BadNetwork> {
    const proxy = new BadNetwork(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    proxy.port = (proxy.#server.address() as { port: number }).port
    t.teardown(() => {
      proxy.#server.close()
      for (const link of proxy.links) link.cut()
    })
    return proxy
  }

  get last(): Link {
    return this.links.at(-1)!
  }

  /** Waits for one more connection than `count`. */
  async linkAfter(count: number): Promise<Link> {
    await eventually('a new connection', () => this.links.length > count)
    return this.links[count]!
  }
}
