import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import * as fs from 'node:fs'
import { formatAddress, isLoopback } from '../core/base/address.ts'
import { type AddressRules, plainAddress } from '../core/transport/address-rules.ts'
import { formatBind, notLoopback, type Place } from '../core/transport/bind.ts'
import type { ForeignMessages } from './foreign-messages.ts'
import type { Origins } from './origins.ts'
import type { PeerWorld } from './peer.ts'
import type { Refusals } from './refusals.ts'

/** Asked for; the system gives at most net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 16 << 20
const OVERRUN_LOOK_MS = 5000

export interface UdpListenerOptions {
  readonly places: readonly Place[]
  readonly rules: AddressRules
  readonly limitBytes: number
  readonly origins: Origins
}

/** RFC 5426: a datagram is a message. Nobody can be told to wait, so what cannot be taken is lost, and counted with the reason. */
export class UdpListener {
  /** Set while the spool has no room. */
  isPaused = false
  readonly #options: UdpListenerOptions
  readonly #world: PeerWorld
  /** Of its own: connections flush what they have brought and answer for it. */
  readonly #foreign: ForeignMessages
  readonly #refusals: Refusals
  readonly #sockets: Socket[] = []
  readonly #overruns = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #isScheduled = false

  constructor(options: UdpListenerOptions, foreign: ForeignMessages, world: PeerWorld, refusals: Refusals) {
    this.#options = options
    this.#world = world
    this.#foreign = foreign
    this.#refusals = refusals
  }

  /** Resolves with the texts of what is bound. @throws {LoghopError} a passed socket is not loopback; or the errno of bind */
  async listen(): Promise<string[]> {
    const bound: string[] = []
    for (const place of this.#options.places) {
      const isIpv6 = place.kind === 'address' && place.host.includes(':')
      const socket = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6, recvBufferSize: RECEIVE_BUFFER_BYTES })
      this.#sockets.push(socket)
      socket.on('message', (bytes, from) => this.#onMessage(bytes, from))
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject)
        const onListening = (): void => {
          socket.off('error', reject)
          socket.on('error', () => undefined)
          resolve()
        }
        if (place.kind === 'address') socket.bind({ address: place.host, port: place.port, exclusive: true }, onListening)
        else if (place.kind === 'descriptor') socket.bind({ fd: place.fd, exclusive: true }, onListening)
        else reject(new Error('UDP has no path'))
      })
      const { address, port } = socket.address()
      if (!isLoopback(plainAddress(address))) throw notLoopback(formatBind(place), `${address} is not loopback`)
      bound.push(`udp ${formatAddress({ host: address, port })}`)
    }
    this.#timer = setInterval(() => this.#countOverruns(), OVERRUN_LOOK_MS)
    this.#timer.unref()
    return bound
  }

  close(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#countOverruns()
    this.#flush()
    for (const socket of this.#sockets) socket.close()
  }

  #onMessage(bytes: Buffer, from: RemoteInfo): void {
    const address = plainAddress(from.address)
    if (!isLoopback(address)) {
      const why = `the datagram comes from ${address}, this listener has no TLS and takes this host alone. Put an agent on that host`
      this.#refusals.add(formatAddress({ host: address, port: from.port }), 'not-loopback', why)
      return
    }
    const list = this.#options.rules.refusedBy(address)
    if (list !== undefined) {
      const why = `${list} of this listener keeps ${address} out. Change ${list} if it may come`
      this.#refusals.add(formatAddress({ host: address, port: from.port }), 'address', why)
      return
    }
    if (bytes.length === 0) return
    const { loss, metrics } = this.#world
    if (this.isPaused) {
      metrics.add('messagesReceived', 1)
      loss.count('udp-spool-full', 1)
      return
    }
    const { origins, limitBytes } = this.#options
    if (bytes.length > limitBytes) metrics.add('messagesCut', 1)
    if (this.#foreign.take(bytes, 0, bytes.length, origins) !== undefined) loss.count('name-refused', 1, origins.rights.name)
    if (this.#isScheduled) return
    // What the system hands over in one turn goes together.
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const flushed = this.#foreign.flush()
    // Nobody waits for it, but the destinations follow what is durable.
    void this.#world.spool.commit()
    if (flushed.error === undefined) return
    this.#world.onStoreFailure((flushed.error as NodeJS.ErrnoException).code ?? flushed.error.message)
    this.#world.loss.count('spool-failed', flushed.failedMessages)
  }

  /** What the kernel has thrown away because the receive buffer was full: the last column of /proc/net/udp. */
  #countOverruns(): void {
    if (process.platform !== 'linux') return
    for (const socket of this.#sockets) {
      const inode = inodeOf(socket)
      if (inode === undefined) continue
      const drops = dropsOf(inode)
      this.#world.loss.count('udp-overrun', Math.max(0, drops - (this.#overruns.get(inode) ?? 0)))
      this.#overruns.set(inode, drops)
    }
  }
}

/** Node keeps the handle, and so the descriptor, in a state of its own. */
function inodeOf(socket: Socket): string | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find((candidate) => candidate.description === 'state symbol')
  const state = symbol === undefined ? undefined : (socket as unknown as Record<symbol, { handle?: { fd?: number } }>)[symbol]
  const fd = state?.handle?.fd
  if (fd === undefined) return undefined
  try {
    return /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/self/fd/${fd}`))?.[1]
  } catch {
    return undefined
  }
}

function dropsOf(inode: string): number {
  for (const file of ['/proc/net/udp', '/proc/net/udp6']) {
    if (!fs.existsSync(file)) continue
    for (const line of fs.readFileSync(file, 'latin1').split('\n')) {
      const fields = line.trim().split(/\s+/)
      if (fields[9] === inode) return Number(fields[12] ?? 0)
    }
  }
  return 0
}
