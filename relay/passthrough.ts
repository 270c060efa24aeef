import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Address, formatAddress } from '../core/base/address.ts'
import type { Log } from '../core/base/log.ts'
import type { RepeatGuard } from '../core/daemon/repeat-guard.ts'

const CONNECTIONS_LIMIT = 256
const CONNECTIONS_PER_ADDRESS_LIMIT = 32
const DIAL_LIMIT_MS = 10_000
// An answer of the authority takes at most 30 s; this is about peers that are gone.
const IDLE_LIMIT_MS = 60_000
const LIFE_LIMIT_MS = 600_000

/**
 * Passes TCP connections to the authority of the site's hosts, byte for byte: TLS stays between them, nothing is read here. Bounded: connections in all and
 * from one address, the dial, silence, and the life of each.
 */
export class Passthrough {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #perAddress = new Map<string, number>()
  #to: Address
  readonly #log: Log
  readonly #guard: RepeatGuard

  constructor(to: Address, log: Log, guard: RepeatGuard) {
    this.#to = to
    this.#log = log
    this.#guard = guard
    // Half-open: one side may have said all while the other still answers.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#pass(near))
    this.#server.maxConnections = CONNECTIONS_LIMIT
  }

  /** Resolves with the port that is bound. @throws the errno of bind or listen */
  listen(address: Address): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host: address.host, port: address.port, backlog: 128 }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', () => undefined)
        const bound = this.#server.address()
        resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port)
      })
    })
  }

  /** Where connections go from now on. */
  leadTo(to: Address): void {
    this.#to = to
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #pass(near: Socket): void {
    const from = near.remoteAddress ?? ''
    const count = (this.#perAddress.get(from) ?? 0) + 1
    if (count > CONNECTIONS_PER_ADDRESS_LIMIT) {
      near.destroy()
      if (this.#guard.repeated(`passthrough ${from}`) !== undefined)
        this.#log.warn('passthrough-refused', `Refused to pass a connection of ${from}: it has ${CONNECTIONS_PER_ADDRESS_LIMIT} already`, {
          from,
        })
      return
    }
    this.#perAddress.set(from, count)
    const far = connect({ host: this.#to.host, port: this.#to.port, allowHalfOpen: true, noDelay: true })
    const end = (): void => {
      clearTimeout(dial)
      clearTimeout(life)
      near.destroy()
      far.destroy()
      for (const socket of [near, far]) this.#sockets.delete(socket)
    }
    const dial = setTimeout(() => fail(new Error(`no connection within ${DIAL_LIMIT_MS / 1000} s`)), DIAL_LIMIT_MS)
    const life = setTimeout(end, LIFE_LIMIT_MS)
    let isConnected = false
    const fail = (error: Error): void => {
      if (!isConnected && this.#guard.repeated(`passthrough to ${formatAddress(this.#to)}`) !== undefined) {
        const text = `Cannot pass ${from} on to the authority ${formatAddress(this.#to)}: ${error.message}. Check that it runs there, and the way`
        this.#log.warn('passthrough-failed', text, { from })
      }
      end()
    }
    far.once('connect', () => {
      isConnected = true
      clearTimeout(dial)
    })
    let open = 2
    for (const socket of [near, far]) {
      this.#sockets.add(socket)
      socket.setTimeout(IDLE_LIMIT_MS, end)
      socket.once('error', fail)
      socket.once('close', () => {
        open--
        if (open === 0) end()
      })
    }
    near.once('close', () => {
      const left = (this.#perAddress.get(from) ?? 1) - 1
      if (left === 0) this.#perAddress.delete(from)
      else this.#perAddress.set(from, left)
    })
    // End of one side is passed on as end, behind its last byte.
    near.pipe(far)
    far.pipe(near)
  }
}
