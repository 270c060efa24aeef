// Connections without TLS. They stay on this host unless the configuration accepts in words that they leave it.

import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { promises as dns, type LookupAddress } from 'node:dns'
import { connect, isIP, type Socket } from 'node:net'
import { type Address, isLoopback } from '../base/address.ts'
import { LoghopError } from '../base/errors.ts'

const CONNECT_LIMIT_MS = 10_000

/** Every address of a name, as `dns.lookup` gives them. */
export type Lookup = (host: string) => Promise<LookupAddress[]>

export const systemLookup: Lookup = (host) => dns.lookup(host, { all: true })

export interface PlainTarget extends Address {
  /** Whether the messages may leave this host although everyone on the way can read and change them. */
  readonly mayLeaveHost: boolean
}

/**
 * The addresses behind a target. What counts is where the bytes would go, not how the name is spelt: /etc/hosts may send localhost anywhere.
 * @throws {LoghopError} PLAINTEXT: one of them is not of this host, and it has to be
 * @throws the error of the look-up
 */
export async function resolvePlain(target: PlainTarget, lookup: Lookup): Promise<LookupAddress[]> {
  const family = isIP(target.host)
  const addresses = family === 0 ? await lookup(target.host) : [{ address: target.host, family }]
  if (addresses.length === 0) throw new Error(`${target.host} has no address`)
  const outside = target.mayLeaveHost ? undefined : addresses.find(({ address }) => !isLoopback(address))
  if (outside !== undefined) {
    throw new LoghopError(
      'PLAINTEXT',
      `${target.host} resolves to ${outside.address}, which is not this host, and without TLS nothing may leave it`,
      'Correct the entry of that name in /etc/hosts, or write 127.0.0.1 or [::1] instead of it',
    )
  }
  return addresses
}

export interface PlainEvents<Connected> {
  onConnected(socket: Connected): void
  onFailed(error: Error): void
}

/** Opens one TCP connection. @returns a function that gives up; no event comes after it */
export function connectTcp(target: PlainTarget, lookup: Lookup, events: PlainEvents<Socket>): () => void {
  let socket: Socket | undefined
  let isDecided = false
  const decide = (tell: () => void): void => {
    if (isDecided) return
    isDecided = true
    clearTimeout(deadline)
    tell()
  }
  const fail = (error: Error): void => {
    decide(() => {
      socket?.destroy()
      events.onFailed(error)
    })
  }
  const deadline = setTimeout(() => fail(new Error(`no connection within ${CONNECT_LIMIT_MS / 1000} s`)), CONNECT_LIMIT_MS)
  resolvePlain(target, lookup).then((addresses) => {
    if (isDecided) return
    const opened = connect({
      host: target.host,
      port: target.port,
      // To the addresses that were checked, and no others.
      lookup: (_host, { all }, done) => (all ? done(null, addresses) : done(null, addresses[0]!.address, addresses[0]!.family)),
    })
    socket = opened
    opened.on('error', fail)
    opened.once('connect', () =>
      decide(() => {
        opened.off('error', fail)
        opened.setNoDelay(true)
        opened.setKeepAlive(true, 30_000)
        events.onConnected(opened)
      }),
    )
  }, fail)
  return () =>
    decide(() => {
      socket?.on('error', () => undefined)
      socket?.destroy()
    })
}

/** Makes one UDP socket that sends to one address and hears of its refusals. @returns a function that gives up; no event comes after it */
export function connectUdp(target: PlainTarget, lookup: Lookup, events: PlainEvents<DatagramSocket>): () => void {
  let isDecided = false
  const fail = (error: Error): void => {
    if (isDecided) return
    isDecided = true
    events.onFailed(error)
  }
  resolvePlain(target, lookup).then((addresses) => {
    if (isDecided) return
    const { address, family } = addresses[0]!
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
    socket.once('error', fail)
    socket.connect(target.port, address, (error?: Error) => {
      socket.off('error', fail)
      if (isDecided || error !== undefined) {
        socket.close()
        if (error !== undefined) fail(error)
        return
      }
      isDecided = true
      events.onConnected(socket)
    })
  }, fail)
  return () => {
    isDecided = true
  }
}
