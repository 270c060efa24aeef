import { createSocket, type Socket } from 'node:dgram'
import * as fs from 'node:fs'
import { formatAddress, isLoopback } from '../base/address.ts'
import { plainAddress } from '../base/networks.ts'
import { formatBind, notLoopback, type Place } from './bind.ts'

/** Asked for; the system gives at most net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 16 << 20
const OVERRUN_LOOK_MS = 5000
const LEAVE_LIMIT_MS = 200

export interface DatagramEvents {
  /** @param address of the sender: an IP address in its plain form */
  onDatagram(bytes: Buffer, address: string, port: number): void
  /** The system has thrown away so many more datagrams because the receive buffer was full. Linux tells, others do not. */
  onOverrun(datagrams: number): void
}

/** Sockets for RFC 5426 on this host's own addresses: what arrives, and what was lost before it could be read. */
export class UdpSockets {
  readonly #events: DatagramEvents
  readonly #sockets: Socket[] = []
  readonly #overruns = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #datagrams = 0

  constructor(events: DatagramEvents) {
    this.#events = events
  }

  /** Resolves with the addresses that are bound. @throws {LoghopError} a passed socket is not loopback; or the errno of bind */
  async listen(places: readonly Place[]): Promise<string[]> {
    const bound: string[] = []
    for (const place of places) {
      const isIpv6 = place.kind === 'address' && place.host.includes(':')
      const socket = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6, recvBufferSize: RECEIVE_BUFFER_BYTES })
      this.#sockets.push(socket)
      socket.on('message', (bytes, from) => {
        this.#datagrams++
        this.#events.onDatagram(bytes, plainAddress(from.address), from.port)
      })
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
      bound.push(formatAddress({ host: address, port }))
    }
    this.#timer = setInterval(() => this.#countOverruns(), OVERRUN_LOOK_MS)
    this.#timer.unref()
    return bound
  }

  /** Reads what the system holds already, as far as that comes to an end, and closes. */
  async leave(): Promise<void> {
    const until = performance.now() + LEAVE_LIMIT_MS
    for (let before = -1; before !== this.#datagrams && performance.now() < until; ) {
      before = this.#datagrams
      // One turn of the loop reads what is there; the second is for what the first has put off.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    this.close()
  }

  /** Also after a `listen` that failed half-way; a second call does nothing. */
  close(): void {
    clearInterval(this.#timer)
    this.#countOverruns()
    for (const socket of this.#sockets.splice(0)) socket.close()
  }

  /** What the kernel has thrown away: the last column of /proc/net/udp. */
  #countOverruns(): void {
    if (process.platform !== 'linux') return
    for (const socket of this.#sockets) {
      const inode = inodeOf(socket)
      if (inode === undefined) continue
      const drops = dropsOf(inode)
      const more = drops - (this.#overruns.get(inode) ?? 0)
      if (more > 0) this.#events.onOverrun(more)
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
